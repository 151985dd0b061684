"""Requests to addresses that people typed in: the only place where this site asks anybody at somebody's word.

Whoever types an address may mean a machine beside this one, which trusts it. So the name is resolved when it is asked,
every address that it has is checked, and the connection is made to one of just those: a name that has another address a
moment later changes nothing. TLS and the Host header are for the name. Redirects are not followed, no proxy is used,
and an attempt ends when its time is over, however slowly the answer drips.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from django.utils.encoding import iri_to_uri
from django.utils.translation import gettext_noop

LONGEST_URL = 1000
LARGEST_ANSWER = 64 * 1024
CONNECT_SECONDS = 3.0
_PORTS = {"http": 80, "https": 443}
# Below it live mail servers, databases' neighbours and the like, which would take a request for their own language.
_FIRST_FREE_PORT = 1024
_IP = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Where all that is everybody's lies in IPv6. Python takes some of the rest for public.
_GLOBAL_IPV6 = ipaddress.ip_network("2000::/3")
# Public by their number only: a cloud's own machine, the IETF's protocols, 6to4's relays, documentation.
_ELSEWHERE = [
    ipaddress.ip_network(each) for each in ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "3fff::/20")
]


class Unsent(Exception):
    """It could not be sent. The words are for the owner of the address, and name none."""


class NotAllowed(Unsent):
    """The address is none that this site sends to."""


@dataclass(frozen=True)
class Place:
    """An address in its parts; `path` with its query, and all of it in ASCII."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> "Place":
        """Raises NotAllowed. The name is not resolved yet."""
        if len(url) > LONGEST_URL or any(ord(sign) <= 32 or sign in "\\\x7f" for sign in url):
            raise NotAllowed(gettext_noop("This is not a web address."))
        try:
            parts = urlsplit(url)
            port, host = parts.port, _in_ascii(parts.hostname or "")
        except ValueError:
            raise NotAllowed(gettext_noop("This is not a web address.")) from None
        if parts.scheme not in _PORTS or not host:
            raise NotAllowed(gettext_noop("This is not a web address."))
        if "@" in parts.netloc:
            raise NotAllowed(gettext_noop("Leave the name and password out of the address."))
        if port is None:
            port = _PORTS[parts.scheme]
        if port < _FIRST_FREE_PORT and port not in _PORTS.values():
            raise NotAllowed(gettext_noop("This port is not for web addresses."))
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.scheme, host, port, iri_to_uri(path))

    @property
    def netloc(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def _in_ascii(host: str) -> str:
    """Raises ValueError for what is no name, and for an IPv6 address with a zone."""
    if "%" in host:
        raise ValueError(host)
    return host if ":" in host else host.encode("idna").decode()


def numbers(host: str) -> list[str]:
    """The address that a host is by itself, in whichever spelling; none for a name."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    try:
        return [socket.inet_ntoa(socket.inet_aton(host))]
    except OSError:
        return []


@dataclass(frozen=True)
class Trust:
    """What the operator allows beside https to public addresses: networks, "*" being all, and http to anywhere."""

    networks: tuple[str, ...] = ()
    plain_http: bool = False

    def require(self, place: Place, addresses: Iterable[str]) -> None:
        """Raises NotAllowed unless each of them may be asked: of a name with two faces neither is believed."""
        for address in addresses:
            ip = _unwrapped(ipaddress.ip_address(address.partition("%")[0]))
            if self._names(ip):
                continue
            if not _is_public(ip):
                raise NotAllowed(gettext_noop("This address leads into a private network."))
            if place.scheme != "https" and not self.plain_http:
                raise NotAllowed(gettext_noop("The address must begin with https://."))

    def _names(self, ip: _IP) -> bool:
        return any(network == "*" or ip in ipaddress.ip_network(network, strict=False) for network in self.networks)


def _unwrapped(ip: _IP) -> _IP:
    """The IPv4 address that is really asked, where an IPv6 address stands for one."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        return ip.ipv4_mapped or ip.sixtofour or ip
    return ip


def _is_public(ip: _IP) -> bool:
    if ip.version == 6 and ip not in _GLOBAL_IPV6:
        return False
    special = ip.is_multicast or ip.is_reserved or any(ip in network for network in _ELSEWHERE)
    return ip.is_global and not special


def post(place: Place, body: bytes, headers: Mapping[str, str], *, trust: Trust, seconds: float) -> int:
    """Send it and give the answer's status, within that many seconds. Raises Unsent."""
    deadline = time.monotonic() + seconds
    try:
        connection = _connected(place, trust, deadline)
        try:
            with _cut_off(connection.sock, _left(deadline)):
                connection.sock.settimeout(_left(deadline))
                connection.request("POST", place.path, body, {"Host": place.netloc, "Connection": "close", **headers})
                answer = connection.getresponse()
                answer.read(LARGEST_ANSWER)
                return answer.status
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unsent(_words(error)) from None


def _connected(place: Place, trust: Trust, deadline: float) -> http.client.HTTPConnection:
    """To the first of the checked addresses that answers; one of IPv6 often does not."""
    addresses = resolve(place.host, place.port)
    trust.require(place, addresses)
    failed: OSError = socket.gaierror()
    for address in addresses:
        connection = _Pinned(place, address, min(CONNECT_SECONDS, _left(deadline)))
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            failed = error
        else:
            return connection
    raise failed


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a name, in the order in which the machine would try them. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(where[0]) for *_, where in found]


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Pinned(http.client.HTTPConnection):
    """To this very address, whatever the name has come to mean; the certificate is checked for the name."""

    def __init__(self, place: Place, address: str, timeout: float) -> None:
        super().__init__(place.host, place.port, timeout=timeout)
        self._place, self._address = place, address

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self._place.port), self.timeout)
        if self._place.scheme == "https":
            plain = self.sock
            self.sock = _tls().wrap_socket(plain, server_hostname=self._place.host, do_handshake_on_connect=False)
            self.sock.do_handshake()


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


@contextmanager
def _cut_off(sock: socket.socket, seconds: float) -> Iterator[None]:
    """A socket's own timeout begins anew with every byte that comes."""
    over = threading.Event()

    def cut() -> None:
        over.set()
        with suppress(OSError):
            # By the plain socket's own method: TLS would first forget that it was TLS, in the middle of a read.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError):
        if not over.is_set():
            raise
    finally:
        timer.cancel()
    # Also where no error came of it: what was cut off looks like an answer that came to its end.
    if over.is_set():
        raise TimeoutError


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return gettext_noop("The certificate is not valid for this name.")
    if isinstance(error, ssl.SSLError):
        return gettext_noop("No secure connection came about.")
    if isinstance(error, TimeoutError):
        return gettext_noop("There was no answer in time.")
    if isinstance(error, socket.gaierror | UnicodeError):
        return gettext_noop("This name is not known.")
    if isinstance(error, ConnectionRefusedError):
        return gettext_noop("Nobody listens at this address.")
    if isinstance(error, http.client.HTTPException) and not isinstance(error, http.client.RemoteDisconnected):
        return gettext_noop("What answers there does not speak HTTP.")
    return gettext_noop("The connection broke off.")
