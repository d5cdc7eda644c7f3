"""Messages to people outside the house: e-mail, SMS, 企业微信, 钉钉, 飞书 …, by Apprise; or nobody, honestly.

A notification URL with `{email}` or `{phone}` in it reaches one person and carries the whole sentence. A URL without
either is a group's channel: the group reads only that there is news, never whose or what (X-45).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
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
PHONE = re.compile(r"\+?[0-9]{5,15}")


class MessageNotDelivered(Refusal):
    """An outside service did not take the message; worth another try later."""

    status, text = 502, _("消息未能送达：{services}没有接收。")


class UnknownMessageUrl(Refusal):
    """A notification URL names no service that Apprise knows; the URL itself may hold a password and stays unsaid."""

    status, text = 422, _("消息设置第{number}项不是可用的通知地址（{service}）。")


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

    def __post_init__(self) -> None:
        """Refuse a URL that no service answers to, at start and not at the first message."""
        import apprise

        for number, url in enumerate(self.urls, start=1):
            if (
                apprise.Apprise.instantiate(
                    _filled(url, email="somebody@example.invalid", phone="13800000000"), suppress_exceptions=True
                )
                is None
            ):
                raise UnknownMessageUrl(number=number, service=_service(url))

    def send(self, *, to: str | None, text: str) -> str:
        """Send by each URL; "inbox" where none can reach this person, so that nothing is tried for ever."""
        due = [(url, text if _is_personal(url) else say(NEWS)) for url in self.urls if _reaches(url, to)]
        refused = [
            _service(url) for url, body in due if not _notify(_filled(url, email=to or "", phone=to or ""), body)
        ]
        if refused:
            raise MessageNotDelivered(services=listed(refused))
        return ",".join(_service(url) for url, _body in due) or INBOX


def messenger_for(settings: Settings) -> Messenger:
    """Return the messenger of an installation: Apprise where URLs are set, else the one that keeps to the inbox."""
    return AppriseMessenger(settings.message_urls) if settings.message_urls else NullMessenger()


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
