"""Messages to people outside the house: e-mail, SMS, 企业微信, 钉钉, 飞书 …, by Apprise; or nobody, honestly.

A notification URL with `{email}` or `{phone}` in it reaches one person and carries the whole sentence. A URL without
either is a group's channel: the group reads only that there is news, never whose or what (X-45), and not again within
ten minutes: a round that opens has news for everybody.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from review_flow.errors import Refusal
from review_flow.i18n import _, listed, say

if TYPE_CHECKING:
    from review_flow.settings import Settings

INBOX = "inbox"
TITLE = _("校本应用考核")
NEWS = _("有新的考核通知，请登录系统查看。")
# Strict, because Apprise decodes what is quoted: a contact with a slash in it could reach another address.
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", re.ASCII)
NEWS_AGAIN_S = 600.0
ROBOTS = {"dingtalk", "wecombot", "feishu", "lark"}
"""Services whose addresses are groups, even with a number in them: it is called out there."""
PHONE = re.compile(r"\+?[0-9]{5,15}")


class MessageNotDelivered(Refusal):
    """An outside service did not take the message; worth another try later."""

    status, text = 502, _("消息未能送达：{services}没有接收。")


class UnknownMessageUrl(Refusal):
    """A notification URL names no service that Apprise knows; the URL itself may hold a password and stays unsaid."""

    status, text = 422, _("消息设置第{number}项不是可用的通知地址（{service}）。")


class GroupReads(Refusal):
    """A robot of a group says everything to the whole group, whomever it calls by number (X-45)."""

    status, text = (
        422,
        _("消息设置第{number}项（{service}）是群机器人，群里的人都会看到内容；请去掉 {{phone}} 和 {{email}}。"),
    )


class Messenger(Protocol):
    """What carries a sentence to a person."""

    def send(self, *, to: str | None, text: str) -> str:
        """Deliver `text` to the person with contact `to`; return the services that took it, comma-separated.

        Raises MessageNotDelivered where a service did not take it.
        """
        ...


@dataclass
class NullMessenger:
    """Sends nothing out and says so: people read their messages in the system itself. Remembers what it was given."""

    sent: list[tuple[str | None, str]] = field(default_factory=list)

    def send(self, *, to: str | None, text: str) -> str:
        """Remember the message; return "inbox"."""
        self.sent.append((to, text))
        return INBOX


@dataclass(frozen=True)
class AppriseMessenger:
    """Sends through every notification URL that can reach the person."""

    urls: tuple[str, ...]
    _told: dict[str, float] = field(default_factory=dict, compare=False)
    """When each group was told last, by the monotonic clock."""

    def __post_init__(self) -> None:
        """Refuse a URL that no service answers to, or that would tell a group; at start, not at the first message."""
        import apprise

        for number, url in enumerate(self.urls, start=1):
            if _is_personal(url) and _service(url) in ROBOTS:
                raise GroupReads(number=number, service=_service(url))
            if (
                apprise.Apprise.instantiate(
                    _filled(url, email="somebody@example.invalid", phone="13800000000"), suppress_exceptions=True
                )
                is None
            ):
                raise UnknownMessageUrl(number=number, service=_service(url))

    def send(self, *, to: str | None, text: str) -> str:
        """Send by each URL; "inbox" where none can reach this person, so that nothing is tried for ever."""
        due = [url for url in self.urls if _reaches(url, to)]
        refused = [_service(url) for url in due if not self._take(url, to or "", text)]
        if refused:
            raise MessageNotDelivered(services=listed(refused))
        return ",".join(map(_service, due)) or INBOX

    def _take(self, url: str, to: str, text: str) -> bool:
        if _is_personal(url):
            return _notify(_filled(url, email=to, phone=to), text)
        moment = time.monotonic()
        if moment - self._told.get(url, -NEWS_AGAIN_S) < NEWS_AGAIN_S:
            return True
        taken = _notify(url, say(NEWS))
        if taken:
            self._told[url] = moment
        return taken


def messenger_for(settings: Settings) -> Messenger:
    """Return the messenger of an installation: Apprise where URLs are set, else the one that keeps to the inbox.

    One for each process: it knows what groups were told. Raises UnknownMessageUrl, GroupReads.
    """
    return _by_apprise(settings.message_urls) if settings.message_urls else NullMessenger()


@cache
def _by_apprise(urls: tuple[str, ...]) -> AppriseMessenger:
    return AppriseMessenger(urls)


def _is_personal(url: str) -> bool:
    return "{email}" in url or "{phone}" in url


def _reaches(url: str, to: str | None) -> bool:
    contact = to or ""
    return all(
        placeholder not in url or pattern.fullmatch(contact)
        for placeholder, pattern in (("{email}", EMAIL), ("{phone}", PHONE))
    )


def _filled(url: str, *, email: str, phone: str) -> str:
    return url.replace("{email}", quote(email, safe="")).replace("{phone}", quote(phone, safe=""))


def _service(url: str) -> str:
    return url.partition(":")[0]


def _notify(url: str, body: str) -> bool:
    import apprise

    channel = apprise.Apprise()
    return channel.add(url) and channel.notify(title=say(TITLE), body=body) is True
