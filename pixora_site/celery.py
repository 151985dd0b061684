"""The Celery app: a broker for doorbells. Rows in the database say what there is to do."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pixora_site.settings")

app = Celery("pixora")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
