"""Requests to addresses that people typed in: only to where they may go, and never for longer than they may take."""

import datetime
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from galleries import outside
from galleries.outside import NotAllowed, Place, Trust, Unsent
from tests.receiver import NETWORKS, Receiver, receiver

NOBODY = Trust()
HERE = Trust(tuple(NETWORKS))


def send(url: str, trust: Trust = HERE, seconds: float = 5) -> int:
    return outside.post(Place.of(url), b"{}", {"X-Test": "1"}, trust=trust, seconds=seconds)


@pytest.mark.parametrize(
    "url",
    [
        "", "hook", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "//example.org/", "https://",
        "https:///hook", "https://user:password@example.org/", "https://user@example.org/", "https://@example.org/",
        "https://example.org:0x50/", "https://example.org:70000/", "https://example.org:22/", "https://example.org:25/",
        "https://example.org:0/", "https://[::1", "https://[fe80::1%25eth0]/", "https://exa mple.org/",
        "https://example.org/\r\nHost: other", "https://example.org\\@other.org/", f"https://example.org/{'x' * 1000}",
        f"https://{'x' * 64}.org/", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_what_is_no_plain_web_address_is_not_taken(url: str) -> None:
    with pytest.raises(NotAllowed):
        Place.of(url)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://example.org", Place("https", "example.org", 443, "/")),
        ("HTTPS://Example.ORG:8443/a?b=c#d", Place("https", "example.org", 8443, "/a?b=c")),
        ("http://nas:8080/hook", Place("http", "nas", 8080, "/hook")),
        ("https://bücher.example/ü", Place("https", "xn--bcher-kva.example", 443, "/%C3%BC")),
        ("https://[2001:4860:4860::8888]/", Place("https", "2001:4860:4860::8888", 443, "/")),
    ],
)
def test_an_address_in_its_parts(url: str, place: Place) -> None:
    assert Place.of(url) == place


PRIVATE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "fe80::1", "fec0::1",
    "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "2002:7f00:1::", "2002:c0a8:101::", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2001:0:7f00:1::", "100::1", "fe80::1%lo",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_no_address_that_is_not_everybody_s_is_asked(address: str) -> None:
    for scheme in ("http", "https"):
        with pytest.raises(NotAllowed):
            NOBODY.require(Place(scheme, "example.org", 443, "/"), [address])


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_a_public_address_is_asked_by_https_only(address: str) -> None:
    NOBODY.require(Place.of("https://example.org/"), [address])
    with pytest.raises(NotAllowed):
        NOBODY.require(Place.of("http://example.org/"), [address])
    Trust(plain_http=True).require(Place.of("http://example.org/"), [address])


def test_one_private_address_of_a_name_is_enough_to_refuse_it() -> None:
    with pytest.raises(NotAllowed):
        NOBODY.require(Place.of("https://example.org/"), ["93.184.215.14", "10.0.0.1"])


def test_an_operator_may_trust_networks_and_no_others() -> None:
    home = Trust(("192.168.1.0/24", "fd12::/64"))
    home.require(Place.of("http://nas/"), ["192.168.1.7", "::ffff:192.168.1.7", "fd12::7"])
    for other in ("192.168.2.7", "127.0.0.1", "169.254.169.254", "fd13::7"):
        with pytest.raises(NotAllowed):
            home.require(Place.of("http://nas/"), [other])
    Trust(("*",)).require(Place.of("http://nas/"), PRIVATE)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "\uff10x7f.1", "[::1]",
        "[::ffff:127.0.0.1]", "localhost", "localhost.",
    ],
)  # fmt: skip
def test_however_this_machine_is_spelled_it_is_not_asked(server: Receiver, host: str) -> None:
    with pytest.raises(Unsent):
        send(f"http://{host}:{server.port}/", Trust(plain_http=True))
    assert server.received == []


def test_what_is_a_number_is_known_before_anybody_is_asked() -> None:
    spelled = {"127.0.0.1": "127.0.0.1", "2130706433": "127.0.0.1", "0177.1": "127.0.0.1", "::1": "::1"}
    assert {host: outside.numbers(host) for host in [*spelled, "example.org"]} == {
        **{host: [number] for host, number in spelled.items()},
        "example.org": [],
    }


def test_a_request_arrives_as_it_was_made(server: Receiver) -> None:
    server.status = 202
    assert send(f"{server.url}?a=b") == 202
    (got,) = server.received
    assert (got.path, got.body, got.headers["X-Test"]) == ("/hook?a=b", b"{}", "1")
    assert got.headers["Host"] == f"127.0.0.1:{server.port}"


def test_the_connection_goes_to_the_address_that_was_checked(server: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is somebody else's a moment later: asked once, and never again by what connects."""
    asked: list[str] = []

    def rebinding(host: str, *args: Any, **kwargs: Any) -> Any:
        if host != "rebinding.example":
            return real(host, *args, **kwargs)
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "10.255.255.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, server.port))]

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    assert send(f"http://rebinding.example:{server.port}/") == 200
    assert asked == ["rebinding.example"]
    assert server.received[0].headers["Host"] == f"rebinding.example:{server.port}"
    with pytest.raises(NotAllowed):
        send(f"http://rebinding.example:{server.port}/")


def test_a_second_address_is_tried_where_nobody_listens_at_the_first(
    server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "resolve", lambda *_: ["::1", "127.0.0.1"])
    assert send(server.url) == 200


def test_a_redirect_is_an_answer_and_is_not_followed(server: Receiver) -> None:
    with receiver() as secret:
        server.status, server.location = 307, secret.url
        assert send(server.url) == 307
        assert secret.received == []


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 100 \r\n"])
def test_an_answer_that_drips_for_ever_ends_in_time(server: Receiver, head: bytes) -> None:
    """One byte at a time, so that no timeout of a single read ever comes; in the head, and in the body."""
    ended = threading.Event()

    def drip(handler: Any) -> None:
        handler.wfile.write(head)
        try:
            while True:
                handler.wfile.write(b"x")
                time.sleep(0.05)
        finally:
            ended.set()

    server.before = drip
    with pytest.raises(Unsent, match="in time"):
        send(server.url, seconds=0.5)
    assert ended.wait(10)


def test_no_more_of_an_answer_is_read_than_its_beginning(server: Receiver) -> None:
    sent = 0

    def pour(handler: Any) -> None:
        nonlocal sent
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent < 200_000_000:
            sent += handler.wfile.write(b"x" * 65536)

    server.before = pour
    assert send(server.url) == 200
    assert sent < 100_000_000, "what the sockets' buffers hold, and not all of it"


def test_what_is_no_answer_says_so_without_naming_the_address(server: Receiver) -> None:
    server.before = lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH\r\n")
    for url in (server.url, "http://127.0.0.1:1/", "http://no-such-name.invalid/", f"https://127.0.0.1:{server.port}/"):
        with pytest.raises(Unsent) as told:
            send(url, Trust(("*",)))
        assert "127" not in str(told.value)
        assert told.value.__cause__ is None


# TLS


def certificate(folder: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file = folder / f"{name}.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A server by https under the name hook.example, whose certificate this process trusts."""
    file = certificate(tmp_path, "hook.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setattr(outside, "resolve", lambda *_: ["127.0.0.1"])
    outside._tls.cache_clear()
    with receiver(context) as here:
        here.location = ""
        yield here
    assert names
    assert set(names) <= {"hook.example", "other.example"}
    outside._tls.cache_clear()


def test_https_asks_for_the_name_and_wants_its_certificate(tls: Receiver) -> None:
    assert send(f"https://hook.example:{tls.port}/") == 200
    assert tls.received[0].headers["Host"] == f"hook.example:{tls.port}"
    with pytest.raises(Unsent, match="certificate"):
        send(f"https://other.example:{tls.port}/")
    assert len(tls.received) == 1


def test_a_certificate_that_nobody_vouches_for_is_refused(tls: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    outside._tls.cache_clear()
    with pytest.raises(Unsent, match="certificate"):
        send(f"https://hook.example:{tls.port}/")
    assert tls.received == []
