"""What an operator may set of lines to other machines: encrypted, unless `PLAIN_CONNECTIONS` names one that need not be.

`database`: PostgreSQL; `prefect`: Prefect's API; `scanner`: clamd, which speaks no TLS at all.
"""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr, ValidationInfo

from review_flow.i18n import _, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Plain = Literal["database", "prefect", "scanner"]
FEWEST_SIGNS, MOST_PORT = 16, 65535
ENCRYPTED = {"require", "verify-ca", "verify-full"}
DATABASE_URL_LIKE = _("应为 postgresql+psycopg://账户:口令@主机:端口/库名")


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
    """Hold PostgreSQL elsewhere to TLS, read as SQLAlchemy and libpq read it; what is no URL at all is theirs to say."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parts = make_url(url)
    except ArgumentError:
        return url
    except ValueError:  # a port that is no number: it may be a password, and is not to be repeated
        raise ValueError(say(DATABASE_URL_LIKE)) from None
    if not parts.drivername.startswith("postgresql"):
        return url
    asked = parts.normalized_query
    named = [parts.host or "", *(one for given in asked.get("host", ()) for one in given.split(","))]
    hosts = [one.rpartition(":")[0] if one.count(":") == 1 else one for one in named if one]
    further = [] if hosts else _of_libpq(asked, PGHOST="", PGSERVICE="service")
    further += _of_libpq(asked, PGHOSTADDR="hostaddr")
    hosts += [one for given in further for one in given.split(",") if one]
    if not set(_of_libpq(asked, PGSSLMODE="sslmode") or [""]) <= ENCRYPTED:
        _require_line("database", hosts, info, instead=say(_("请在地址末尾加 ?sslmode=verify-full")))
    return url


def _of_libpq(asked: Mapping[str, Sequence[str]], **names: str) -> list[str]:
    """Return what a connection's parameters say, each by its variable and its name in a URL, which comes first."""
    found = [asked.get(name) or (os.environ.get(variable, ""),) for variable, name in names.items()]
    return [one for given in found for one in given if one]


def _prefect(url: str, info: ValidationInfo) -> str:
    """Hold an operator's own Prefect server to TLS, when it is elsewhere, and to a password."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(say(_("应为 {like} 这样的地址"), like="https://prefect.school/api"))
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
        raise ValueError(say(_("应为 名字:口令，至少 {count} 个英文字符，不含空格"), count=FEWEST_SIGNS))
    return given


def _scanner(place: str, info: ValidationInfo) -> str:
    host, _colon, port = place.rpartition(":")
    if not place.startswith("/"):
        if not (host and port.isdecimal() and 0 < int(port) <= MOST_PORT):
            raise ValueError(say(_("应为 /run/clamav/clamd.ctl 或 10.0.0.5:3310 这样的")))
        _require_line("scanner", [host], info, instead=say(_("请改用本机的 clamd")))
    return place


DatabaseUrl = Annotated[str, AfterValidator(_database)]
PrefectUrl = Annotated[str, AfterValidator(_prefect)]
PrefectProof = Annotated[SecretStr, AfterValidator(_proof)]
ScannerPlace = Annotated[str, AfterValidator(_scanner)]
