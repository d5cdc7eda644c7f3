"""Messages go to a real local HTTP server here, by Apprise's own JSON service."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from review_flow.outside.messages import (
    AppriseMessenger,
    GroupReads,
    MessageNotDelivered,
    NullMessenger,
    UnknownMessageUrl,
    messenger_for,
)
from review_flow.settings import Settings

# Apprise's e-mail plug-in imports imghdr, which the standard library drops in 3.13.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
SECRET = "您3月1日迟到一次"


@pytest.fixture
def service():
    """A service that notes (path, message) of what it gets, and refuses what goes to /refuse."""
    got: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            got.append((self.path, body["message"]))
            self.send_response(500 if "refuse" in self.path else 200)
            self.end_headers()

        def log_message(self, *_):
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"json://127.0.0.1:{server.server_port}", got
    server.shutdown()
    thread.join()
    server.server_close()


def test_null_sends_nothing_and_says_so():
    messenger = NullMessenger()
    assert messenger.send(to="a@example.invalid", text="甲") == "inbox"
    assert messenger.sent == [("a@example.invalid", "甲")]


def test_a_personal_address_gets_the_sentence_and_a_group_only_that_there_is_news(service):
    url, got = service
    messenger = AppriseMessenger((f"{url}/mail/{{email}}", f"{url}/group"))
    assert messenger.send(to="a@example.invalid", text=SECRET) == "json,json"
    assert got == [("/mail/a@example.invalid", SECRET), ("/group", "有新的考核通知，请登录系统查看。")]


def test_a_group_is_told_once_in_ten_minutes_however_many_have_news(service, monkeypatch):
    url, got = service
    moment = [1000.0]
    monkeypatch.setattr("review_flow.outside.messages.time.monotonic", lambda: moment[0])
    messenger = AppriseMessenger((f"{url}/group",))
    for after in (0, 1, 599, 600, 601):
        moment[0] = 1000.0 + after
        assert messenger.send(to="a@example.invalid", text=SECRET) == "json"
    assert got == [("/group", "有新的考核通知，请登录系统查看。")] * 2


def test_a_group_that_took_nothing_is_told_again(service):
    url, got = service
    messenger = AppriseMessenger((f"{url}/refuse",))
    for _time in range(2):
        with pytest.raises(MessageNotDelivered):
            messenger.send(to=None, text=SECRET)
    assert len(got) == 2


def test_a_group_s_robot_is_given_no_one_person_s_sentence():
    with pytest.raises(
        GroupReads, match=r"第1项（dingtalk）是群机器人，群里的人都会看到内容；请去掉 {phone} 和 {email}。"
    ):
        AppriseMessenger(("dingtalk://TOKEN/{phone}",))


def test_a_phone_gets_what_goes_to_phones(service):
    url, got = service
    messenger = AppriseMessenger((f"{url}/mail/{{email}}", f"{url}/sms/{{phone}}"))
    assert messenger.send(to="13800000000", text=SECRET) == "json"
    assert got == [("/sms/13800000000", SECRET)]


@pytest.mark.parametrize("contact", [None, "", "初二办公室"])
def test_nobody_to_reach_stays_in_the_inbox(service, contact):
    url, got = service
    messenger = AppriseMessenger((f"{url}/mail/{{email}}", f"{url}/sms/{{phone}}"))
    assert messenger.send(to=contact, text=SECRET) == "inbox"
    assert got == []


@pytest.mark.parametrize(
    "contact", ["x@y.z/../../admin", "x@y.z?to=w", "a@b.c,d@e.f", "a@b.c\n", "甲@b.c", "13800/../admin"]
)
def test_a_contact_cannot_reach_out_of_its_place_in_the_url(service, contact):
    url, got = service
    messenger = AppriseMessenger((f"{url}/mail/{{email}}", f"{url}/sms/{{phone}}"))
    assert messenger.send(to=contact, text=SECRET) == "inbox"
    assert got == []


def test_a_service_that_refuses_is_named_and_tried_again_later(service):
    url, _got = service
    with pytest.raises(MessageNotDelivered, match="消息未能送达：json没有接收。"):
        AppriseMessenger((f"{url}/refuse/{{email}}",)).send(to="a@example.invalid", text=SECRET)


def test_a_wrong_url_refuses_at_start_without_saying_its_password():
    with pytest.raises(UnknownMessageUrl) as refused:
        AppriseMessenger(("json://localhost", "nonsense://user:password@host"))
    assert str(refused.value) == "消息设置第2项不是可用的通知地址（nonsense）。"


def test_the_settings_decide(tmp_path):
    assert isinstance(messenger_for(Settings(home=tmp_path)), NullMessenger)
    assert messenger_for(Settings(home=tmp_path, message_urls=("json://localhost/{email}",))) == AppriseMessenger(
        ("json://localhost/{email}",)
    )
