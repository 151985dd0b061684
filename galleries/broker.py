"""Redis, asked in one try and never waited for longer than said: whoever asks goes on without it."""

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry


def asked_once(seconds: float) -> redis.Redis:
    """A client whose calls raise redis.RedisError, or OSError, at the latest after so long."""
    one_try = Retry(NoBackoff(), 0)
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=seconds, socket_connect_timeout=seconds, retry=one_try
    )
