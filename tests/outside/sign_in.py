"""Stand-ins that speak the protocols of OIDC, CAS, 企业微信 and 钉钉 as their documents tell, and are as strict."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey


@dataclass
class Service:
    """One server for the four protocols: whoever is sent to it comes back as `user`."""

    user: str = "u-1"
    claims: dict[str, Any] = field(default_factory=dict)
    """What the identity token says instead."""
    corp: str = "corp"
    algorithm: str = "RS256"
    spoil: Callable[[str], str] = field(default=lambda text: text)
    """What happens to an answer on its way."""
    asked: dict[str, dict[str, str]] = field(default_factory=dict)
    """What the browser brought, by the code it was given; a code opens once."""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    url: str = ""

    def send_back(self, way: str) -> str:
        """Play the service's page: return the address it sends the browser back to."""
        parts = urlsplit(way)
        asked = dict(parse_qsl(parts.query))
        code = secrets.token_hex(8)
        self.asked[code] = asked
        assert f"{parts.scheme}://{parts.netloc}" == self.url
        if parts.path == "/login":
            return f"{asked['service']}&{urlencode({'ticket': code})}"
        where = "authCode" if parts.path == "/oauth2/auth" else "code"
        return f"{asked['redirect_uri']}?{urlencode({where: code, 'state': asked['state']})}"

    def answer(self, method: str, path: str, query: dict[str, str], body: str, headers: Any) -> dict[str, Any] | str:  # noqa: C901, PLR0911 - a list of addresses
        match method, path:
            case "GET", "/.well-known/openid-configuration":
                places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
                return {"issuer": self.url, **{name: f"{self.url}/{place}" for name, place in places.items()}}
            case "GET", "/keys":
                return {"keys": [self.key.as_dict(private=False)]}
            case "POST", "/token":
                return self.token({name: values[0] for name, values in parse_qs(body).items()}, headers)
            case "GET", "/p3/serviceValidate":
                return self.ticket(query)
            case "GET", "/cgi-bin/gettoken":
                good = (query["corpid"], query["corpsecret"]) == (self.corp, "s3cret")
                return {"errcode": 0, "access_token": "app", "expires_in": 7200} if good else {"errcode": 40001}
            case "GET", "/cgi-bin/auth/getuserinfo":
                asked = self.asked.pop(query["code"], None)
                if query["access_token"] != "app" or asked is None:
                    return {"errcode": 40029}
                return {"errcode": 0, "userid": self.user} if self.user else {"errcode": 0, "openid": "o-1"}
            case "POST", "/v1.0/oauth2/userAccessToken":
                said = json.loads(body)
                if self.asked.pop(said["code"], None) is None or said["clientSecret"] != "s3cret":
                    return {"code": "invalidAuthCode"}
                return {"accessToken": "user", "expireIn": 7200, "corpId": self.corp}
            case "GET", "/v1.0/contact/users/me":
                good = headers["x-acs-dingtalk-access-token"] == "user"
                return {"unionId": self.user, "nick": "王芳"} if good else {"code": "Forbidden"}
        raise AssertionError(path)

    def token(self, sent: dict[str, str], headers: Any) -> dict[str, Any]:
        asked = self.asked.pop(sent["code"], None)
        who = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
        made = hashlib.sha256(sent["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(made).decode().rstrip("=")
        if asked is None or who != "app:s3cret":
            return {"error": "invalid_client"}
        if (asked["code_challenge"], asked["redirect_uri"]) != (challenge, sent["redirect_uri"]):
            return {"error": "invalid_grant"}
        now = int(time.time())
        said = {"iss": self.url, "aud": "app", "sub": self.user, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        header = {"alg": self.algorithm, "kid": "one"}
        return {"id_token": jwt.encode(header, said | self.claims, self.key), "token_type": "Bearer"}

    def ticket(self, query: dict[str, str]) -> str:
        asked = self.asked.pop(query["ticket"], None)
        cas = 'xmlns:cas="http://www.yale.edu/tp/cas"'
        if asked is None or asked["service"] != query["service"]:
            said = '<cas:authenticationFailure code="INVALID_TICKET">no</cas:authenticationFailure>'
        else:
            said = f"<cas:authenticationSuccess><cas:user>{self.user}</cas:user></cas:authenticationSuccess>"
        return f"<cas:serviceResponse {cas}>{said}</cas:serviceResponse>"


@contextmanager
def serving(service: Service) -> Iterator[Service]:
    """Let a stand-in listen on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply()

        do_POST = do_GET

        def reply(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            said = service.answer(self.command, parts.path, dict(parse_qsl(parts.query)), body, self.headers)
            sent = service.spoil(said if isinstance(said, str) else json.dumps(said)).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_said: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()


def settings_of(service: Service, **more: object) -> list[dict[str, object]]:
    """One provider of each kind at a stand-in, as an operator sets them."""
    secret = {"corp_id": "corp", "api_url": service.url, "login_url": service.url}
    return [
        {
            "kind": "oidc",
            "id": "sso",
            "label": "统一身份",
            "issuer": service.url,
            "client_id": "app",
            "client_secret": "s3cret",
            "number_claim": "number",
            **more,
        },
        {"kind": "cas", "id": "cas", "label": "CAS", "url": service.url, "knows_numbers": True, **more},
        {"kind": "wecom", "id": "wecom", "label": "企业微信", "agent_id": "7", "secret": "s3cret", **secret, **more},
        {"kind": "dingtalk", "id": "ding", "label": "钉钉", "app_key": "k", "app_secret": "s3cret", **secret, **more},
    ]
