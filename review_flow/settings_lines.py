"""What an operator may set of lines to other machines: encrypted, unless `PLAIN_CONNECTIONS` names one that need not be.

`database`: PostgreSQL; `prefect`: Prefect's API; `scanner`: clamd, which speaks no TLS at all.
"""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, SecretStr, ValidationInfo

from review_flow.i18n import _, say

if TYPE_CHECKING:
    from collections.abc import Iterable

Plain = Literal["database", "prefect", "scanner"]
FEWEST_SIGNS, MOST_PORT = 16, 65535
ENCRYPTED = {"require", "verify-ca", "verify-full"}


def is_here(host: str) -> bool:
    """Whether a host is this machine: its loopback, or a socket's folder."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.startswith("/")


def _require_line(which: Plain, hosts: Iterable[str], info: ValidationInfo, *, instead: str) -> None:
    """Raise ValueError with what to do where a line leaves this machine in the open and nobody said that it may."""
    beyond = next((host for host in hosts if not is_here(host)), None)
    if beyond is not None and which not in info.data.get("plain_connections", ()):
        text = _("到 {host} 的连接没有加密；{instead}，或确认网络封闭后把 {which} 写进 REVIEW_FLOW_PLAIN_CONNECTIONS")
        raise ValueError(say(text, host=beyond, instead=instead, which=f'"{which}"'))


def _database(url: str, info: ValidationInfo) -> str:
    """Hold PostgreSQL elsewhere to TLS; what is no URL at all is SQLAlchemy's to say."""
    parts = urlsplit(url)
    if not parts.scheme.startswith("postgresql"):
        return url
    asked = parse_qs(parts.query)
    named = [parts.hostname or "", *(one for given in asked.get("host", []) for one in given.split(","))]
    hosts = [one.rpartition(":")[0] if one.count(":") == 1 else one for one in named if one]
    hosts = hosts or [one for one in [os.environ.get("PGHOST", ""), *asked.get("service", [])] if one]
    mode = asked.get("sslmode", [os.environ.get("PGSSLMODE", "")])[-1]
    if mode not in ENCRYPTED:
        _require_line("database", hosts, info, instead=say(_("请在地址末尾加 ?sslmode=verify-full")))
    return url


def _prefect(url: str, info: ValidationInfo) -> str:
    """Hold an operator's own Prefect server to TLS, when it is elsewhere, and to a password."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("not an address like https://prefect.school/api")
    if parts.scheme != "https":
        _require_line("prefect", [parts.hostname], info, instead=say(_("请改用 https 地址")))
    if info.data.get("prefect_auth_string") is None:
        raise ValueError(
            say(_("请同时设 REVIEW_FLOW_PREFECT_AUTH_STRING：谁能调用 Prefect 的接口，谁就能决定后台做什么"))
        )
    return url


def _proof(given: SecretStr) -> SecretStr:
    """Hold what opens Prefect's API to what an HTTP header and a comparison of bytes can take."""
    value = given.get_secret_value()
    if len(value) < FEWEST_SIGNS or not (value.isascii() and value.isprintable()) or " " in value or ":" not in value:
        raise ValueError(f"not name:password, {FEWEST_SIGNS} ASCII signs or more")
    return given


def _scanner(place: str, info: ValidationInfo) -> str:
    host, _colon, port = place.rpartition(":")
    if not place.startswith("/"):
        if not (host and port.isdecimal() and 0 < int(port) <= MOST_PORT):
            raise ValueError("not a socket like /run/clamav/clamd.ctl or 10.0.0.5:3310")
        _require_line("scanner", [host], info, instead=say(_("请改用本机的 clamd")))
    return place


DatabaseUrl = Annotated[str, AfterValidator(_database)]
PrefectUrl = Annotated[str, AfterValidator(_prefect)]
PrefectProof = Annotated[SecretStr, AfterValidator(_proof)]
ScannerPlace = Annotated[str, AfterValidator(_scanner)]
