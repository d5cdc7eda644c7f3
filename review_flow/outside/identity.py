"""Others who say who somebody is: OIDC, CAS, 企业微信, 钉钉, each behind the same two questions.

The browser is sent away with a state that only this attempt knows, and comes back with a code or a ticket; that is
exchanged by us, over a line of our own, for a proof. What an answer says is taken for nothing until it is checked:
issuer, audience, signature, nonce and time of an identity token; the corporation of a 钉钉 account; membership of a
企业微信 one.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, assert_never
from urllib.parse import urlencode, urlsplit

from review_flow.errors import Refusal
from review_flow.i18n import _
from review_flow.settings_identity import Cas, DingTalk, Oidc, WeCom

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    import httpx

    from review_flow.settings_identity import Provider

TIMEOUT_S = 8.0
MOST_BYTES = 1_000_000
LEEWAY_S = 60
DESCRIBED_S = 3600
ALGORITHMS = ("RS256", "ES256", "PS256", "EdDSA")
CAS_NAMESPACE = "{http://www.yale.edu/tp/cas}"


class NotProven(Refusal):
    """The service did not prove who is there; said without what it answered, which may hold secrets."""

    status, text = 403, _("{label}没有确认您的身份，请再试一次；仍不行时用工号和密码登录。（{why}）")


class ServiceSilent(Refusal):
    """The service can't be reached, or answers what can't be read."""

    status, text = 502, _("现在连不上{label}，请稍后再试，或用工号和密码登录。")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way out and back: what must come back with it, kept in the browser that went."""

    state: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    def require_back(self, *, provider: Provider, query: Mapping[str, str]) -> None:
        """Raise NotProven for an answer to another attempt, or a refusal of the service."""
        if not hmac.compare_digest(query.get("state", "").encode(), self.state.encode()):
            raise NotProven(label=provider.label, why="state")
        if "error" in query:
            raise NotProven(label=provider.label, why=_plain(query["error"]))


@dataclass(frozen=True, slots=True)
class Proof:
    """Who is there: the service's own lasting name for them, and the school's 工号 where the service vouches for it."""

    provider: str
    subject: str
    number: str | None = None


class Identity(Protocol):
    """One service."""

    def way_out(self, *, back: str, attempt: Attempt, user_agent: str) -> str:
        """Return where the browser goes; it comes back to `back` with what `proof` reads."""
        ...

    def proof(self, *, back: str, attempt: Attempt, query: Mapping[str, str]) -> Proof:
        """Return who came back; raises NotProven, or ServiceSilent. Asks the service: outside of any transaction."""
        ...


def identity_of(provider: Provider) -> Identity:
    """Return the service that a setting describes."""
    match provider:
        case Oidc():
            return OidcIdentity(provider)
        case Cas():
            return CasIdentity(provider)
        case WeCom():
            return WeComIdentity(provider)
        case DingTalk():
            return DingTalkIdentity(provider)
    assert_never(provider)


def _plain(word: str) -> str:
    """Return a service's own code of a refusal; anything longer, or a text with signs, is not repeated."""
    return word if len(word) <= 40 and word.replace("_", "").isalnum() and word.isascii() else "?"  # noqa: PLR2004 - a code's length


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Return whose certificates are believed, read once: 20 ms of every question."""
    import httpx

    return httpx.create_ssl_context(trust_env=False)


def _ask(provider: Provider, method: str, url: str, **more: Any) -> httpx.Response:
    """Return a service's answer; it is not followed elsewhere, not waited for long, and not read without end."""
    import httpx

    try:
        with (
            httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, verify=_trusted(), trust_env=False) as client,
            client.stream(method, url, **more) as answer,
        ):
            read = bytearray()
            for part in answer.iter_bytes():
                read += part
                if len(read) > MOST_BYTES:
                    raise ServiceSilent(label=provider.label)
            return httpx.Response(answer.status_code, content=bytes(read), headers={"content-type": "text/plain"})
    except httpx.HTTPError as error:
        raise ServiceSilent(label=provider.label) from error


def _asked_json(provider: Provider, method: str, url: str, **more: Any) -> dict[str, Any]:
    answer = _ask(provider, method, url, **more)
    try:
        said = answer.json()
    except ValueError as error:
        raise ServiceSilent(label=provider.label) from error
    if not isinstance(said, dict):
        raise ServiceSilent(label=provider.label)
    return said


def _text(provider: Provider, said: Mapping[str, Any], key: str) -> str:
    """Return a text that the answer must hold."""
    value = said.get(key)
    if not isinstance(value, str) or not value:
        raise NotProven(label=provider.label, why=key)
    return value


@functools.lru_cache(maxsize=32)
def _described(provider: Oidc, _period: int) -> dict[str, Any]:
    """Return an issuer's own description, asked once in a while; what it names must be of the issuer it says it is."""
    said = _asked_json(provider, "GET", f"{provider.issuer}/.well-known/openid-configuration")
    if str(said.get("issuer", "")).rstrip("/") != provider.issuer:
        raise NotProven(label=provider.label, why="issuer")
    for key in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if urlsplit(_text(provider, said, key)).scheme not in {"https", urlsplit(provider.issuer).scheme}:
            raise NotProven(label=provider.label, why=key)
    return said


@dataclass(frozen=True, slots=True)
class OidcIdentity:
    """OpenID Connect Core 1.0, authorization code with PKCE (RFC 7636)."""

    provider: Oidc

    def way_out(self, *, back: str, attempt: Attempt, user_agent: str) -> str:  # noqa: ARG002 - the same for every browser
        """Return the issuer's page."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": back,
            "scope": self.provider.scope,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if self.provider.acr:
            asked["acr_values"] = " ".join(self.provider.acr)
        way = _described(self.provider, int(time.monotonic()) // DESCRIBED_S)["authorization_endpoint"]
        return f"{way}{'&' if '?' in way else '?'}{urlencode(asked)}"

    def proof(self, *, back: str, attempt: Attempt, query: Mapping[str, str]) -> Proof:
        """Exchange the code, and check the identity token."""
        attempt.require_back(provider=self.provider, query=query)
        known = _described(self.provider, int(time.monotonic()) // DESCRIBED_S)
        said = _asked_json(
            self.provider,
            "POST",
            known["token_endpoint"],
            auth=(self.provider.client_id, self.provider.client_secret.get_secret_value()),
            data={
                "grant_type": "authorization_code",
                "code": _text(self.provider, query, "code"),
                "redirect_uri": back,
                "code_verifier": attempt.verifier,
            },
        )
        claims = self._claims(_text(self.provider, said, "id_token"), known, attempt)
        named = self.provider.number_claim
        number = claims.get(named) if named else None
        subject = _text(self.provider, claims, "sub")
        return Proof(self.provider.id, subject, number if isinstance(number, str) else None)

    def _claims(self, token: str, known: Mapping[str, Any], attempt: Attempt) -> dict[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        keys = _asked_json(self.provider, "GET", known["jwks_uri"])
        wanted = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": known["issuer"]},
            aud={"essential": True, "value": self.provider.client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": attempt.nonce},
        )
        try:
            read = jwt.decode(token, KeySet.import_key_set(keys), algorithms=ALGORITHMS)  # type: ignore[arg-type]  # checked by what reads it
            wanted.validate(read.claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise NotProven(label=self.provider.label, why="id_token") from error
        if read.claims.get("azp", self.provider.client_id) != self.provider.client_id:
            raise NotProven(label=self.provider.label, why="azp")
        if self.provider.acr and read.claims.get("acr") not in self.provider.acr:
            raise NotProven(label=self.provider.label, why="acr")
        ways = read.claims.get("amr")
        if any(one not in (ways if isinstance(ways, list) else ()) for one in self.provider.amr):
            raise NotProven(label=self.provider.label, why="amr")
        return dict(read.claims)


@dataclass(frozen=True, slots=True)
class CasIdentity:
    """CAS protocol 3.0. It gives no state back, so ours travels inside the service's address."""

    provider: Cas

    def _service(self, back: str, attempt: Attempt) -> str:
        return f"{back}?{urlencode({'state': attempt.state})}"

    def way_out(self, *, back: str, attempt: Attempt, user_agent: str) -> str:  # noqa: ARG002 - the same for every browser
        """Return the CAS login page."""
        return f"{self.provider.url}/login?{urlencode({'service': self._service(back, attempt)})}"

    def proof(self, *, back: str, attempt: Attempt, query: Mapping[str, str]) -> Proof:
        """Have the ticket validated."""
        from defusedxml import DefusedXmlException
        from defusedxml.ElementTree import fromstring

        attempt.require_back(provider=self.provider, query=query)
        asked = {"service": self._service(back, attempt), "ticket": _text(self.provider, query, "ticket")}
        answer = _ask(self.provider, "GET", f"{self.provider.url}/p3/serviceValidate?{urlencode(asked)}")
        try:
            said = fromstring(answer.text, forbid_dtd=True)
        except (SyntaxError, DefusedXmlException) as error:
            raise ServiceSilent(label=self.provider.label) from error
        user = said.findtext(f"{CAS_NAMESPACE}authenticationSuccess/{CAS_NAMESPACE}user", "").strip()
        if not user:
            raise NotProven(label=self.provider.label, why="ticket")
        return Proof(self.provider.id, user, user if self.provider.knows_numbers else None)


@dataclass(frozen=True, slots=True)
class WeComIdentity:
    """企业微信网页登录; inside its own browser the silent way."""

    provider: WeCom

    def way_out(self, *, back: str, attempt: Attempt, user_agent: str) -> str:
        """Return the page with the QR code, or the silent way for whoever is inside 企业微信 already."""
        asked = {"redirect_uri": back, "state": attempt.state}
        if "wxwork" in user_agent.lower():
            asked = {"appid": self.provider.corp_id, **asked, "response_type": "code", "scope": "snsapi_base"}
            asked["agentid"] = self.provider.agent_id
            return f"{self.provider.inside_url}/connect/oauth2/authorize?{urlencode(asked)}#wechat_redirect"
        asked = {"login_type": "CorpApp", "appid": self.provider.corp_id, "agentid": self.provider.agent_id, **asked}
        return f"{self.provider.login_url}/wwlogin/sso/login?{urlencode(asked)}"

    def _asked(self, path: str, **asked: str) -> dict[str, Any]:
        said = _asked_json(self.provider, "GET", f"{self.provider.api_url}/cgi-bin/{path}", params=asked)
        if said.get("errcode", 0) != 0:
            raise NotProven(label=self.provider.label, why=_plain(str(said["errcode"])))
        return said

    def proof(self, *, back: str, attempt: Attempt, query: Mapping[str, str]) -> Proof:  # noqa: ARG002 - it is not asked for again
        """Exchange the code; somebody who is no member has no userid, and is nobody here."""
        attempt.require_back(provider=self.provider, query=query)
        code = _text(self.provider, query, "code")
        secret = self.provider.secret.get_secret_value()
        token = self._asked("gettoken", corpid=self.provider.corp_id, corpsecret=secret)
        said = self._asked("auth/getuserinfo", access_token=_text(self.provider, token, "access_token"), code=code)
        user = _text(self.provider, said, "userid")
        return Proof(self.provider.id, user, user if self.provider.knows_numbers else None)


@dataclass(frozen=True, slots=True)
class DingTalkIdentity:
    """钉钉登录第三方网站 (OAuth 2.0), of one corporation alone."""

    provider: DingTalk

    def way_out(self, *, back: str, attempt: Attempt, user_agent: str) -> str:  # noqa: ARG002 - the same for every browser
        """Return 钉钉's page."""
        asked = {
            "redirect_uri": back,
            "response_type": "code",
            "client_id": self.provider.app_key,
            "scope": "openid corpid",
            "state": attempt.state,
            "prompt": "consent",
            "exclusiveLogin": "true",
            "exclusiveCorpId": self.provider.corp_id,
        }
        return f"{self.provider.login_url}/oauth2/auth?{urlencode(asked)}"

    def proof(self, *, back: str, attempt: Attempt, query: Mapping[str, str]) -> Proof:  # noqa: ARG002 - it is not asked for again
        """Exchange the code for the account, which must have signed in for the set corporation."""
        attempt.require_back(provider=self.provider, query=query)
        token = _asked_json(
            self.provider,
            "POST",
            f"{self.provider.api_url}/v1.0/oauth2/userAccessToken",
            json={
                "clientId": self.provider.app_key,
                "clientSecret": self.provider.app_secret.get_secret_value(),
                "code": query.get("authCode") or _text(self.provider, query, "code"),
                "grantType": "authorization_code",
            },
        )
        if _text(self.provider, token, "corpId") != self.provider.corp_id:
            raise NotProven(label=self.provider.label, why="corpId")
        said = _asked_json(
            self.provider,
            "GET",
            f"{self.provider.api_url}/v1.0/contact/users/me",
            headers={"x-acs-dingtalk-access-token": _text(self.provider, token, "accessToken")},
        )
        return Proof(self.provider.id, _text(self.provider, said, "unionId"))
