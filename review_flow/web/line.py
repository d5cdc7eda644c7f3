"""Which lines the web may be reached by: plain HTTP leaves this machine only when somebody said so."""

from __future__ import annotations

from review_flow.errors import Refusal
from review_flow.i18n import _
from review_flow.settings_lines import is_here


class PlainBeyondHere(Refusal):
    """Without TLS whoever shares the network reads passwords and takes sessions over: nobody is led into that."""

    status, text = (
        422,
        _(
            "监听 {host} 会让别的机器以明文 HTTP 访问，同一网络里的人能看到密码、冒用登录，所以没有启动。请选一种：\n"
            "1. 用证书：运行 review-flow tls make --name 主机名，再启动即可；已有证书就加 --tls-cert 和 --tls-key。\n"
            "2. 前面有提供 HTTPS 的代理：加 --proxy 代理的地址。\n"
            "3. 明知如此仍用明文：加 --plain-http，或设 REVIEW_FLOW_PLAIN_HTTP=true。"
        ),
    )


def require_line(host: str, *, secure: bool, proxied: bool, plain: bool) -> None:
    """Raise PlainBeyondHere where plain HTTP would be spoken to other machines that nobody chose to speak it to."""
    if not (is_here(host) or secure or proxied or plain):
        raise PlainBeyondHere(host=host)
