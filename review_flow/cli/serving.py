"""`review-flow serve`: the web and the worker, with Prefect's server under it, as one."""

from __future__ import annotations

import functools
import socket
import ssl
from pathlib import Path
from typing import Annotated, Any

import typer

from review_flow import cli
from review_flow.cli import common
from review_flow.cli.common import Desk, ready_engine, run_deed
from review_flow.db import settings, transaction
from review_flow.errors import Refusal
from review_flow.i18n import _, say
from review_flow.logs import configure
from review_flow.misread import reason
from review_flow.settings_lines import is_here

app = typer.Typer()
AsJson = common.AsJson
NOBODY: dict[str, Any] = {"acting": None, "school": None}


ELSEWHERE = _(
    "别的机器请用这台机器的名字或 IP 代替上面的主机名；设置 REVIEW_FLOW_WEB_URL 后，一次性链接和通知里的地址才对别人有用。"
)


class NoCertificate(Refusal):
    """A TLS file that can't be used: said before anything starts."""

    status, text = 422, _("TLS 证书或私钥不能用（{cert}、{key}）：{why}")


class PortTaken(Refusal):
    """Nobody could be let in there: said before anything starts, instead of by a part that dies again and again."""

    status, text = (
        409,
        _("{host}:{port} 不能用（{why}）。若是上次的进程还没有结束，请先停掉它；或用 --port 换一个端口。"),
    )


class SecretsOpen(Refusal):
    """Keys that others of this machine may read are no keys: said before anything starts."""

    status, text = 422, _("别的用户也能读{path}，先不启动。请运行 chmod go-rwx {path}，再启动。")


@app.command(help=cli.PARTS["serve"][1])
def serve(
    host: Annotated[str, typer.Option(help=_("监听地址；0.0.0.0 让同一网络的人都能访问"))] = "127.0.0.1",
    port: Annotated[int, typer.Option(help=_("端口"), min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help=_("网页进程数；SQLite 用一个就够"), min=1, max=64)] = 1,
    tls_cert: Annotated[
        Path | None, typer.Option(help=_("TLS 证书文件（PEM，含中间证书）；不写则用 tls make 建立的"))
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help=_("TLS 私钥文件（PEM）"))] = None,
    proxy: Annotated[
        list[str] | None, typer.Option(help=_("可信代理的地址，可重复；只信它的 X-Forwarded-* 头"))
    ] = None,
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help=_("让别的机器以明文 HTTP 访问（同一网络里的人能看到密码）"))
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Serve until stopped."""
    options = {
        "host": host, "port": port, "workers": workers, "cert": tls_cert, "key": tls_key, "proxies": proxy or [],
        "plain": plain_http,
    }  # fmt: skip
    run_deed(_serve, {**NOBODY, "as_json": as_json}, options)


def _serve(
    desk: Desk,
    *,
    host: str,
    port: int,
    workers: int,
    cert: Path | None,
    key: Path | None,
    proxies: list[str],
    plain: bool,
) -> None:
    from review_flow.cli.supervise import Child, supervise
    from review_flow.outside.messages import messenger_for
    from review_flow.steps import door
    from review_flow.web.assets import Assets

    line, here = spoken(host, cert=cert, key=key, proxies=proxies, plain=plain or settings().plain_http)
    for path in settings().open_to_others():
        if path != settings().home:  # a mounted folder is often open; what is in it must not be
            raise SecretsOpen(path=path)
    require_port(host, port)
    messenger_for(settings())  # as the assets below: said here, not by a worker that dies again and again
    engine = ready_engine()
    Assets()  # refused here, by name, rather than by a child that dies again and again
    configure(as_json=settings().log_json)
    address = settings().web_url or f"{here}:{port}"
    with transaction(engine) as session:
        token = door.first_link(session)
    engine.dispose()
    typer.echo(say(_("地址：{address}"), address=address))
    if settings().web_url is None and not is_here(host):
        typer.echo(say(ELSEWHERE))
    if token is not None:
        link = door.address_of(token, at=address)
        typer.echo(say(_("还没有能登录的管理员。请打开这个一次性链接（两天内有效）：{link}"), link=link))
    web = ["-m", "review_flow.web", "--host", host, "--port", str(port), "--workers", str(workers), *line]
    supervise(
        [
            Child(say(_("网页")), web),
            # Prefect's first start keeps a small machine busy for a minute: people come in before.
            Child(
                say(_("后台工作")),
                ["-c", "from review_flow.cli import main; main()", "work"],
                after=functools.partial(_listens, host, port),
            ),
        ]
    )
    desk.done(_("已停止。"))


def require_port(host: str, port: int) -> None:
    """Raise PortTaken where the web could not listen."""
    try:
        family, *_rest, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        socket.create_server(address[:2], family=family).close()
    except OSError as error:
        raise PortTaken(host=host, port=port, why=reason(error)) from error


def _listens(host: str, port: int) -> bool:
    """Whether the web takes connections; it listens once all of it is there."""
    try:
        with socket.create_connection(("127.0.0.1" if host == "0.0.0.0" else host, port), timeout=1):  # noqa: S104 - compared
            return True
    except OSError:
        return False


def spoken(host: str, *, cert: Path | None, key: Path | None, proxies: list[str], plain: bool) -> tuple[list[str], str]:
    """Return the web's arguments for the line people reach it by, and its address there without the port.

    The home's own certificate is used where there is one and nothing else was chosen. Raises NoCertificate,
    PlainBeyondHere.
    """
    from review_flow.outside.authority import Pair
    from review_flow.web.line import require_line

    own = Pair(settings())
    ours = own.complete() and not (cert or key or proxies or plain)
    secure = _tls(own.server, own.server_key) if ours else _tls(cert, key)
    require_line(host, secure=bool(secure), proxied=bool(proxies), plain=plain)
    name = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - compared
    if ours and not is_here(host):
        name = next(iter(own.names()), name)
    line = [*secure, *(["--plain-http"] if plain else []), *(part for one in proxies for part in ("--proxy", one))]
    return line, f"{'https' if secure else 'http'}://{name}"


def _tls(cert: Path | None, key: Path | None) -> list[str]:
    """Return the web's arguments for TLS; raises NoCertificate for files that don't belong together."""
    if cert is None and key is None:
        return []
    if cert is None or key is None:
        raise NoCertificate(cert=cert, key=key, why=say(_("请同时给出证书和私钥")))
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise NoCertificate(cert=cert, key=key, why=error) from error
    return ["--tls-cert", str(cert), "--tls-key", str(key)]
