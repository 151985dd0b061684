"""How `manage.py upload_folder` speaks to a site: whom it believes, whom it waits out, and who never gets its token."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from galleries.management.folder_upload.answers import Away, Refused
from galleries.management.folder_upload.site import Site, split_address
from tests.answering import NOTHING, answering


@contextmanager
def asking(url: str, waiting: Any = lambda words: None) -> Iterator[Site]:
    site = Site(url, "secret", 60, waiting)
    yield site
    site.hang_up()


PROBLEM = {"Content-Type": "application/problem+json"}


def test_the_token_goes_to_nobody_whom_the_site_names() -> None:
    with answering(NOTHING) as other:
        for location in (f"{other.url}/api/v1/", "/elsewhere/"):
            with (
                answering((307, {"Location": location}, b"")) as server,
                asking(server.url) as site,
                pytest.raises(Away, match="sends us on"),
            ):
                site.check("a", [])
        assert other.asked == []


def test_a_site_with_a_wrong_certificate_is_told_nothing(tmp_path: Path) -> None:
    with answering(NOTHING) as server:
        server.socket = encrypted(server.socket, tmp_path)
        with asking(server.url.replace("http:", "https:")) as site, pytest.raises(Away, match="certificate"):
            site.check("a", [])
        assert server.asked == []


def encrypted(listening: socket.socket, folder: Path) -> ssl.SSLSocket:
    """With a certificate that nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, today, today + timedelta(days=1))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "site.pem").write_bytes(pem + made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "site.pem")
    return context.wrap_socket(listening, server_side=True)


@pytest.mark.parametrize("status", [429, 503, 507])
def test_a_busy_site_is_asked_again_when_it_said(status: int) -> None:
    waits: list[str] = []
    busy = (status, {**PROBLEM, "Retry-After": "1"}, b'{"detail": "The disk is full."}')
    with answering(busy, NOTHING) as server, asking(server.url, waits.append) as site:
        assert site.patiently(lambda: site.check("a", [])).here == set()
        first, second = (moment for moment, _ in server.asked)
    assert second - first >= 1
    assert waits == ["The disk is full. Trying again in 1 s.", ""]


def test_whoever_is_no_pixora_is_waited_out_and_a_no_is_a_no() -> None:
    portal = (200, {"Content-Type": "text/html"}, b"<h1>Welcome to the hotel</h1>")
    with answering(portal, (502, {}, b""), NOTHING) as server, asking(server.url) as site:
        assert site.patiently(lambda: site.check("a", [])).here == set()
    with (
        answering((403, PROBLEM, b'{"detail": "Not with this token."}')) as server,
        asking(server.url) as site,
        pytest.raises(Refused, match="Not with this token") as refused,
    ):
        site.patiently(lambda: site.check("a", []))
    assert refused.value.is_of_the_album


@pytest.mark.parametrize("wrong", ["ftp://a/albums/", "https://", "https://u:p@a.org/", "https://a.org:99999/", "//"])
def test_an_address_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(Refused):
        split_address(wrong)
