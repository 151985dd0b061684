"""The Celery app: a broker for doorbells. Rows in the database say what there is to do."""

import os
import signal
import threading
import warnings
from contextlib import suppress
from typing import Any

from celery import Celery
from celery import Task as CeleryTask
from celery.signals import beat_init, worker_shutting_down
from celery.worker import state
from kombu.exceptions import OperationalError

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


# It warns root of messages that are code. Ours are JSON; and a newcomer's first lines are what to do, not this thrice.
warnings.filterwarnings("ignore", r"\s*You're running the worker with superuser", module="celery.platforms")

app = Celery("pixora", task_cls=Task)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


# A photo takes a tenth of a second. Below the 25 s that the supervisor gives, and the 30 s of a container.
_LAST_SECONDS = 15.0


@worker_shutting_down.connect
def end_soon(**_: Any) -> None:
    """What is still being worked on then is interrupted, and given back as if it had not been begun."""
    timer = threading.Timer(_LAST_SECONDS, _interrupt_tasks)
    timer.daemon = True
    timer.start()


def _interrupt_tasks() -> None:
    """Raises SoftTimeLimitExceeded in the processes of the pool, by the signal of Celery's own soft time limit."""
    for pid in {request.worker_pid for request in list(state.active_requests)} - {None, os.getpid()}:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)


@beat_init.connect
def sweep_at_once(**_: Any) -> None:
    """By itself it would wait for a whole round first, and what waits for a sweep when it is killed for two."""
    with suppress(OperationalError):
        app.send_task("galleries.flows.upkeep.sweep", expires=5, retry=False)
