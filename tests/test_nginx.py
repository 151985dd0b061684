"""nginx.conf alone, before nobody or before a program that says what it was asked: no whole site is needed for that."""

import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings

from galleries.middleware import PLAIN_BYTES
from pixora_site import env
from pixora_site.masking import mask
from tests import services

ROOT = Path(settings.BASE_DIR)


def test_the_sizes_that_nginx_takes_are_the_site_s() -> None:
    sizes = {int(size) for size in re.findall(r"client_max_body_size ([0-9]+);", (ROOT / "nginx.conf").read_text())}
    file = env.whole_number("PIXORA_MAX_FILE_BYTES", 60_000_000)
    assert sizes == {PLAIN_BYTES, PLAIN_BYTES + file, PLAIN_BYTES + settings.DATA_UPLOAD_MAX_NUMBER_FILES * file}


def test_without_pixora_nginx_says_that_it_will_be_back(tmp_path: Path) -> None:
    nobody = services.free_port()
    with services.nginx(tmp_path, tmp_path / "data", web=nobody, downloads=nobody) as port:
        album = "0f8fad5b-d9cb-469f-a165-70867728950e"
        for path, kind in [
            ("/", "text/html"),
            ("/api/v1/albums/", "application/problem+json"),
            (f"/albums/{album}/upload/", "text/html"),
            (f"/api/v1/albums/{album}/photos/", "application/problem+json"),
            # What nginx has not is asked of Pixora.
            ("/protected/originals/a.jpg", "text/html"),
        ]:
            as_it_comes = iter([b"of a length that nobody said"])
            for answer in (
                requests.get(f"http://127.0.0.1:{port}{path}"),
                requests.post(f"http://127.0.0.1:{port}{path}", data=as_it_comes),
            ):
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10"), path
                assert answer.headers["Content-Type"].startswith(kind)


class Echo(BaseHTTPRequestHandler):
    """Answers with the headers that it was asked with."""

    def do_GET(self) -> None:
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Not to the test's output."""


@pytest.fixture
def echo() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


SPOOFED = {
    "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example.org",
    "X-Forwarded-Port": "1", "X-Real-IP": "1.2.3.4", "Forwarded": "for=1.2.3.4", "X-Sendfile-Failed": "1",
    "X-Request-ID": "mine",
}  # fmt: skip


def test_nginx_says_anew_who_asks_and_how(tmp_path: Path, echo: int) -> None:
    with services.nginx(tmp_path, tmp_path / "data", web=echo, downloads=echo) as port:
        told = requests.get(f"http://127.0.0.1:{port}/", headers=SPOOFED).json()
    forwarded = {name: value for name, value in told.items() if name in {each.lower() for each in SPOOFED}}
    assert re.fullmatch("[0-9a-f]{32}", forwarded.pop("x-request-id"))
    assert forwarded == {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http"}


def test_nginx_masks_what_pixora_masks(tmp_path: Path, echo: int) -> None:
    token = "Wq3xT0kZ9uYbN4vCmL8sHd2RfG7jPaE5"
    kinds = (
        "l",
        "r",
        "m",
        "links",
        "setup",
        "invited",
        "accounts/password/reset/key",
        "accounts/confirm-email",
        "api/v1/links",
    )
    paths = [f"/{kind}/{token}{rest}" for kind in kinds for rest in ("", "/", "/photos/?next=/l/" + token)]
    paths.append(f"/accounts/login/%2fl%2f{token}/")
    assert all(token not in mask(path) for path in paths)
    with services.nginx(tmp_path, tmp_path / "data", web=echo, downloads=echo) as port:
        for path in [*paths, "/albums/", "/last"]:
            requests.get(f"http://127.0.0.1:{port}{path}")
    log = (tmp_path / "nginx.log").read_text()
    assert log.count("***") == len(paths)
    assert token not in log
    assert '"GET /albums/" 200' in log


def test_the_lines_on_tls_serve_https_under_known_names_alone(tmp_path: Path, echo: int) -> None:
    certificate = self_signed(tmp_path / "certificates")
    with services.nginx(tmp_path, tmp_path / "data", web=echo, downloads=echo, tls=certificate.parent) as port:
        answer = requests.get(f"https://localhost:{port}/", headers=SPOOFED, verify=str(certificate))
        assert answer.json()["x-forwarded-proto"] == "https"
        known, unknown = ssl.create_default_context(cafile=str(certificate)), ssl._create_unverified_context()
        for context, name, answered in [(known, "localhost", True), (unknown, "evil.example.org", False)]:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                try:
                    context.wrap_socket(connection, server_hostname=name).close()
                except ssl.SSLError:
                    assert not answered
                else:
                    assert answered


def self_signed(folder: Path) -> Path:
    """A certificate for localhost and its key, as nginx.conf names them; gives the certificate."""
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "privkey.pem").write_bytes(secret)
    (folder / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return folder / "fullchain.pem"
