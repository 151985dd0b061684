"""A doorbell says to the workers of a queue that there is something to do. What it is, and whose turn, the rows say.

A ring is sent on commit, in one try of a second, and never raises: a lost one is made good by the sweeper, and one too
many finds no due row. No queue ever holds more than twice as many rings as there are workers.
"""

import logging
from functools import cache

import redis
from celery import Task
from celery.exceptions import OperationalError
from django.conf import settings
from django.db import transaction

from galleries import metrics
from galleries.broker import asked_once

logger = logging.getLogger(__name__)


def ring(task: Task[..., None]) -> None:
    transaction.on_commit(lambda: _send(task), robust=True)


def _send(task: Task[..., None]) -> None:
    queue = settings.CELERY_TASK_ROUTES[task.name]["queue"]
    try:
        if _broker().llen(queue) < 2 * settings.PIXORA_WORKERS:
            # A connection of its own: one kept in a pool would be found dead after Redis came back.
            with task.app.connection_for_write() as connection:
                task.apply_async(connection=connection, retry=False)  # type: ignore[call-arg]
    except (redis.RedisError, OperationalError, OSError, ValueError) as error:
        # The last is redis-py's own: from within a connection that was closed under it.
        metrics.count("lost_rings", queue=queue)
        logger.warning("Ring for queue %s lost (%s); the sweeper will ring again.", queue, type(error).__name__)


@cache
def _broker() -> redis.Redis:
    """Asked first, because a producer of Celery would wait much longer than a second for a broker that is down."""
    return asked_once(1)
