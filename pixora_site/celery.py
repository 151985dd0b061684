"""The Celery app: a broker for doorbells. Rows in the database say what there is to do."""

import os
from typing import Any

from celery import Celery
from celery import Task as CeleryTask

from galleries import logs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pixora_site.settings")


class Task(CeleryTask[Any, Any]):
    """Its lines in the log name it, and what it claimed."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with logs.apart(task=self.name):
            return super().__call__(*args, **kwargs)

    def on_failure(self, exc: Exception, *args: Any, **kwargs: Any) -> None:
        # Django cannot be imported before there is an app.
        from galleries.database import count_failure

        count_failure(exc)


app = Celery("pixora", task_cls=Task)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
