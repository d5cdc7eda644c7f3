from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from review_flow.errors import BadInput
from review_flow.outside import webhooks
from review_flow.outside.webhooks import Answer, HttpPoster, NotForOutside, NullPoster, allowed, parsed, poster_for
from review_flow.settings import Settings

HOME = (ipaddress.ip_network("127.0.0.0/8"),)
SCHOOL = (ipaddress.ip_network("10.20.0.0/16"), ipaddress.ip_network("fd00::/8"))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "oa.test/hook",
        "ftp://oa.test/",
        "https://",
        "https://user:secret@oa.test/",
        "https://oa.test/#part",
        "https://oa.test:99999/",
        "https://oa.test:0/",
        "https://oa.test/a b",
        "https://oa.test/\r\nx: y",
        "https://学校.test/",
        "https://[::1/",
        "https://oa.test/" + "a" * 500,
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(BadInput):
        parsed(url)


@pytest.mark.parametrize(
    ("address", "public", "school"),
    [
        ("8.8.8.8", True, True),
        ("2606:4700::1111", True, True),
        ("127.0.0.1", False, False),
        ("::1", False, False),
        ("::ffff:127.0.0.1", False, False),
        ("::ffff:8.8.8.8", True, True),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("10.20.3.4", False, True),
        ("::ffff:10.20.3.4", False, True),
        ("10.21.3.4", False, False),
        ("172.16.0.1", False, False),
        ("192.168.1.1", False, False),
        ("100.64.0.1", False, False),
        ("169.254.169.254", False, False),
        ("fe80::1", False, False),
        ("fd12::1", False, True),
        ("224.0.0.1", False, False),
        ("255.255.255.255", False, False),
        ("2002:7f00:1::", False, False),
        ("2001:0:7f00:1::", False, False),
        ("64:ff9b::7f00:1", False, False),
    ],
)
def test_where_webhooks_may_go(address: str, public: bool, school: bool) -> None:  # noqa: FBT001 - a table
    one = ipaddress.ip_address(address)
    assert allowed(one, encrypted=True, networks=()) is public
    assert allowed(one, encrypted=True, networks=SCHOOL) is school


def test_plain_http_stays_in_the_opened_networks() -> None:
    assert allowed(ipaddress.ip_address("8.8.8.8"), encrypted=False, networks=SCHOOL) is False
    assert allowed(ipaddress.ip_address("10.20.3.4"), encrypted=False, networks=SCHOOL) is True
    webhooks.require_sayable("http://oa.test/", networks=())
    webhooks.require_sayable("http://10.20.0.1/", networks=SCHOOL)
    for url in ("http://8.8.8.8/", "https://10.20.0.1/", "https://[::1]:8000/"):
        with pytest.raises(NotForOutside):
            webhooks.require_sayable(url, networks=())


@contextmanager
def receiver(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Somebody who takes one request, and says what they are told to say."""
    got: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        line, _address = server.accept()
        with line:
            line.settimeout(5)
            while not got or b"{}" not in got[0]:
                got[:] = [b"".join(got) + line.recv(65536)]
            line.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}", got
        thread.join(5)


def post(url: str, networks: tuple[webhooks.Network, ...] = HOME) -> Answer:
    return HttpPoster(networks).post(url, headers={"webhook-id": "msg_1"}, body=b"{}")


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", Answer(204)),
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n", Answer(302)),
        (b"HTTP/1.1 500 Oops\r\n\r\n", Answer(500)),
        (b"hello\r\n\r\n", Answer(None, "BadStatusLine")),
        (b"", Answer(None, "RemoteDisconnected")),
    ],
)
def test_what_is_answered_is_said_and_nothing_is_followed(said: bytes, answer: Answer) -> None:
    with receiver(said) as (url, got):
        assert post(f"{url}/hook?a=1") == answer
    assert got[0].startswith(b"POST /hook?a=1 HTTP/1.1\r\n")
    assert f"host: {url.removeprefix('http://')}\r\n".encode() in got[0]
    assert answer.taken is (answer.status == 204)


def test_nobody_is_asked_where_nothing_may_be_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        refused = post(f"http://localhost:{server.getsockname()[1]}/", ())
        with pytest.raises(TimeoutError):
            server.accept()
    assert (refused.status, "内部地址" in str(refused.problem)) == (None, True)
    assert post("https://no-such-host.invalid/").problem == "gaierror"
    assert "应是 https://" in str(post("nothing").problem)


def test_nobody_listens_and_who_drips_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "LONGEST_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"127.0.0.1:{server.getsockname()[1]}"
        # How an end comes across hangs on which of the two was quicker.
        assert post(f"http://{place}/").problem in {"RemoteDisconnected", "ConnectionResetError"}
        assert post(f"https://{place}/").problem in {"SSLEOFError", "SSLZeroReturnError", "ConnectionResetError"}
    assert post(f"http://{place}/") == Answer(None, "ConnectionRefusedError")


def test_a_name_with_one_inner_address_among_its_own_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolved(*_asked: object, **_how: object) -> list[object]:
        return [(2, 1, 6, "", (address, 443)) for address in ("8.8.8.8", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    with pytest.raises(NotForOutside):
        webhooks.require_allowed(parsed("https://two-faced.test/"), networks=())


def test_an_installation_sends_where_its_operator_lets_it() -> None:
    assert poster_for(Settings(webhook_networks=("127.0.0.0/8",))) == HttpPoster(HOME)
    null = NullPoster(410)
    assert null.post("https://oa.test", headers={}, body=b"{}") == Answer(410)
    assert null.sent == [("https://oa.test", {}, b"{}")]


def test_the_signature_is_standard_webhooks_own_example() -> None:
    """The test vector of the specification's libraries."""
    secret = webhooks.base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = webhooks.signed(
        secret, webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=b'{"test": 2432232314}'
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert webhooks.shown_secret(secret) == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
