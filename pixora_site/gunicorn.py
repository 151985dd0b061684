"""How gunicorn serves Pixora. `manage.py serve` adds the address and the number of threads."""

import gc
import socket
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.http.message import Request
from gunicorn.workers.base import Worker

from galleries import logs
from pixora_site import env
from pixora_site.logs import formatter
from pixora_site.supervisor import die_with_parent

wsgi_app = "pixora_site.wsgi"
# Loaded once and forked: a worker that was killed is back in milliseconds, not in the second that importing takes.
preload_app = True
worker_class = "pixora_site.turn_away.Worker"
keepalive = 15
# Of the worker's main loop, which no slow client can hold up: a download may take as long as it takes.
timeout = 60
# Below the supervisor's 25 s, so that gunicorn itself says what it cut off.
graceful_timeout = 20
forwarded_allow_ips = ",".join(env.networks("PIXORA_TRUSTED_PROXIES"))
# By default SCRIPT_NAME and PATH_INFO, which some proxies pass on from whoever sends them.
forwarder_headers = ""
# It would be a file in the home folder.
control_socket_disable = True

_SILENCE = 60  # seconds without a sign of life from a client's system before its connection is dropped
_HEALTH = ("/healthz", "/readyz")


class SiteLogger(Logger):
    """Lines as the site's own, so masked: secrets stand in paths. Health checks, every few seconds, have none."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(formatter())

    def access(self, resp: Any, req: Request, environ: dict[str, Any], request_time: Any) -> None:
        if environ.get("PATH_INFO") not in _HEALTH:
            request_id = dict(resp.headers).get("X-Request-Id", "-")
            with logs.apart(request=request_id):
                super().access(resp, req, environ, request_time)


logger_class = SiteLogger
loglevel = "warning"
accesslog = "-"
access_log_format = '%(h)s "%(r)s" %(s)s %(b)s %(L)ss'


def when_ready(server: Arbiter) -> None:
    _keep_what_was_loaded()
    _notice_who_left(server)


def _keep_what_was_loaded() -> None:
    """The collector, which stops every page, need not walk through it, nor write to what all workers share."""
    gc.collect()
    gc.freeze()


def _notice_who_left(server: Arbiter) -> None:
    """Have the kernel notice phones that left without a word; connections inherit this from the listener (Linux)."""
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _SILENCE)
            listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENCE * 1000)


def post_fork(server: Arbiter, worker: Worker) -> None:
    die_with_parent(worker.ppid)
