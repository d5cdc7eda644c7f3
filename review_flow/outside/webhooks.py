"""Webhooks out of the house: signed as Standard Webhooks has it, and never sent where nobody outside may look.

An address is resolved once, every address it has is looked at, and the connection goes to the one that was looked at:
a name that answers otherwise a moment later leads nowhere else. No redirect is followed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import SplitResult, urlsplit

from review_flow.errors import BadInput, Refusal
from review_flow.i18n import _, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from review_flow.settings import Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PATIENCE_S, LONGEST_S = 5.0, 15.0
MOST_URL = 500
SECRET_MARK = "whsec_"  # noqa: S105 - the mark of a secret, none itself
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotForOutside(Refusal):
    """An address inside the house that the operator did not open to webhooks."""

    status, text = 422, _("不能向“{host}”发送：它是内部地址，或没有加密。需要时请系统管理员设置 WEBHOOK_NETWORKS。")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a try came to: the status that was answered, or why there was no answer."""

    status: int | None
    problem: str | None = None

    @property
    def taken(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - any success


class Poster(Protocol):
    """What carries a telling to an address."""

    def post(self, url: str, *, headers: dict[str, str], body: bytes) -> Answer:
        """Send it once; whatever goes wrong is the answer, nothing is raised."""
        ...


@dataclass
class NullPoster:
    """Sends nothing and remembers everything; answers as it is told to."""

    status: int | None = 204
    sent: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def post(self, url: str, *, headers: dict[str, str], body: bytes) -> Answer:
        """Remember it."""
        self.sent.append((url, headers, body))
        return Answer(self.status)


def parsed(url: str) -> SplitResult:
    """Return an address that may be told to the outside; raises BadInput for one with a password, or of another kind."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or parts.username is not None or parts.fragment or len(url) > MOST_URL or not _printable(url):
        raise BadInput(field=say(_("地址")), problem=say(_("应是 https:// 开头的地址，不带用户名和#。")))
    return parts


def _printable(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url


def allowed(address: Address, *, encrypted: bool, networks: Sequence[Network]) -> bool:
    """Whether webhooks may go to an address: public ones over TLS, others where the operator opened their network."""
    plain = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped else address
    if any(plain.version == one.version and plain in one for one in networks):
        return True
    tunnelled = isinstance(plain, ipaddress.IPv6Address) and bool(plain.sixtofour or plain.teredo or plain in NAT64)
    return encrypted and plain.is_global and not plain.is_multicast and not tunnelled


def require_allowed(parts: SplitResult, *, networks: Sequence[Network]) -> list[str]:
    """Return the addresses to connect to, or raise NotForOutside where any that the name has is not allowed."""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = str(parts.hostname)
    found = [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for one in found:
        _require(
            host, ipaddress.ip_address(one.partition("%")[0]), encrypted=parts.scheme == "https", networks=networks
        )
    return found


def require_sayable(url: str, *, networks: Sequence[Network]) -> None:
    """Refuse an address as far as it can be told without asking anybody: where it names no host but a number."""
    parts = parsed(url)
    try:
        address = ipaddress.ip_address(str(parts.hostname))
    except ValueError:
        return
    _require(str(parts.hostname), address, encrypted=parts.scheme == "https", networks=networks)


def _require(host: str, address: Address, *, encrypted: bool, networks: Sequence[Network]) -> None:
    if not allowed(address, encrypted=encrypted, networks=networks):
        raise NotForOutside(host=host)


@dataclass(frozen=True)
class HttpPoster:
    """Sends over HTTP, into the networks that are opened and to whoever is public."""

    networks: tuple[Network, ...] = ()

    def post(self, url: str, *, headers: dict[str, str], body: bytes) -> Answer:
        """Send it once, within some seconds; a redirect is an answer like any other that is no success."""
        try:
            parts = parsed(url)
            addresses = require_allowed(parts, networks=self.networks)
            return Answer(_exchange(parts, addresses, headers, body))
        except Refusal as refusal:
            return Answer(None, str(refusal))
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Answer(None, type(error).__name__)


def _reached(addresses: Sequence[str], port: int) -> socket.socket:
    """Return a connection to the first address that answers."""
    for one in addresses[:-1]:
        with suppress(OSError):
            return socket.create_connection((one, port), timeout=PATIENCE_S)
    return socket.create_connection((addresses[-1], port), timeout=PATIENCE_S)


def _exchange(parts: SplitResult, addresses: Sequence[str], headers: dict[str, str], body: bytes) -> int:
    """Return the status; a receiver that drips its answer is cut off at the end of its time."""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    line = _reached(addresses, port)
    if parts.scheme == "https":
        line = ssl.create_default_context().wrap_socket(
            line, server_hostname=parts.hostname, do_handshake_on_connect=False
        )
    cut = threading.Timer(LONGEST_S, _cut, [line])
    cut.daemon = True
    cut.start()
    with line:
        try:
            if isinstance(line, ssl.SSLSocket):
                line.do_handshake()
            connection = http.client.HTTPConnection(str(parts.hostname), port, timeout=PATIENCE_S)
            connection.sock = line
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body, {**headers, "host": parts.netloc, "connection": "close"})
            return connection.getresponse().status
        finally:
            cut.cancel()


def _cut(line: socket.socket) -> None:
    """End a connection under whoever reads from it: of the socket itself, since TLS would want to say goodbye."""
    with suppress(OSError):  # it ended by itself just now
        socket.socket.shutdown(line, socket.SHUT_RDWR)


def poster_for(settings: Settings) -> Poster:
    """Return what sends an installation's webhooks."""
    return HttpPoster(settings.webhook_networks)


def signed(secret: bytes, *, webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of a telling: who verifies it reckons the same over id, time and body (Standard Webhooks 1.0)."""
    said = f"{webhook_id}.{timestamp}.".encode() + body
    seal = base64.b64encode(hmac.new(secret, said, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{seal}",
        "content-type": "application/json",
        "user-agent": "review-flow",
    }


def shown_secret(secret: bytes) -> str:
    """Return a secret as its receiver is given it."""
    return SECRET_MARK + base64.b64encode(secret).decode()
