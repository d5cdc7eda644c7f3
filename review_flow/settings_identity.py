"""Who else may say who somebody is: a school's single sign-on, 企业微信, 钉钉 or CAS, as the operator sets them.

`REVIEW_FLOW_IDENTITY_PROVIDERS` holds a JSON list of them (or `…_FILE` names a file that does); docs/sign-in.md shows
one of each kind.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from review_flow.i18n import _, say
from review_flow.settings_lines import is_here


def _safe_address(url: str) -> str:
    """Return the address without its last slash; what proves people to us must not come over an open line."""
    parts = urlsplit(url)
    if not parts.hostname or parts.query or parts.fragment:
        raise ValueError(say(_("应为 {like} 这样的地址"), like="https://sso.school.cn"))
    if parts.scheme != "https" and not (parts.scheme == "http" and is_here(parts.hostname)):
        raise ValueError(say(_("应以 https 开头")))
    return url.rstrip("/")


Address = Annotated[str, AfterValidator(_safe_address)]


class _Provider(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,30}$")]
    """What its bindings are kept under: never to be given to another service later."""
    label: Annotated[str, Field(min_length=1, max_length=30)]
    """What stands on its button."""
    school: str | None = None
    """The school whose people it knows, by name; None: the only one."""


class Oidc(_Provider):
    """OpenID Connect: authorization code with PKCE, the identity token checked by the issuer's keys."""

    kind: Literal["oidc"]
    issuer: Address
    client_id: str
    client_secret: SecretStr
    scope: str = "openid profile"
    number_claim: str | None = None
    """The claim that holds a person's 工号, where the issuer vouches for it; None: people bind their account once."""
    acr: tuple[str, ...] = ()
    """How surely the issuer must have known people: it is asked for one of these classes, and must say which it was."""
    amr: tuple[str, ...] = ()
    """By what it must have known them: all of these (RFC 8176), such as ["pwd", "otp"] or ["mfa"]."""


class Cas(_Provider):
    """CAS 3 (/p3/serviceValidate)."""

    kind: Literal["cas"]
    url: Address
    knows_numbers: bool = False
    """Whether its user names are the school's 工号."""


class WeCom(_Provider):
    """企业微信: an application of the school's own corporation."""

    kind: Literal["wecom"]
    corp_id: str
    agent_id: str
    secret: SecretStr
    knows_numbers: bool = False
    login_url: Address = "https://login.work.weixin.qq.com"
    inside_url: Address = "https://open.weixin.qq.com"
    api_url: Address = "https://qyapi.weixin.qq.com"


class DingTalk(_Provider):
    """钉钉: an application of the school's own organization."""

    kind: Literal["dingtalk"]
    corp_id: str
    app_key: str
    app_secret: SecretStr
    login_url: Address = "https://login.dingtalk.com"
    api_url: Address = "https://api.dingtalk.com"


Provider = Annotated[Oidc | Cas | WeCom | DingTalk, Field(discriminator="kind")]


def _read(given: Any) -> Any:
    try:
        return json.loads(given) if isinstance(given, str) else given
    except ValueError:
        raise ValueError(say(_("不是可读的 JSON"))) from None


def _apart(providers: tuple[Provider, ...]) -> tuple[Provider, ...]:
    if len({one.id for one in providers}) < len(providers):
        raise ValueError(say(_("有两项的 id 相同")))
    return providers


Providers = Annotated[tuple[Provider, ...], BeforeValidator(_read), AfterValidator(_apart)]
