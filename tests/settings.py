"""The site's own settings in a data directory that lasts as long as the test process."""

import atexit
import os
import shutil
import tempfile

os.environ["PIXORA_DATA_DIR"] = _data = tempfile.mkdtemp(prefix="pixora-test-")
os.environ.setdefault("PIXORA_SECRET_KEY", "only for the tests, which guard nothing")
atexit.register(shutil.rmtree, _data, ignore_errors=True)

from pixora_site.settings import *  # noqa: E402, F403

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# WhiteNoise warns where there is none.
STATIC_ROOT.mkdir()  # noqa: F405
# Argon2 is meant to be slow.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
