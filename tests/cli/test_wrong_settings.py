"""Every setting with a wrong value: one Chinese sentence names it and says what to write."""

from __future__ import annotations

import errno
import json
import os
import re

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy.exc import ArgumentError

from review_flow import i18n
from review_flow.cli.refusals import explained
from review_flow.db import engine_for
from review_flow.misread import reason
from review_flow.settings import Settings

KEY, ADDRESS = "应为 64 位十六进制数字", "应为 https://review.school.cn 这样的地址"
LIST = "不是可读的 JSON"
CAS = {"kind": "cas", "id": "c", "label": "C", "url": "https://sso.school.cn"}
WRONG = [
    ("PLAIN_CONNECTIONS", "database", LIST),
    ("PLAIN_CONNECTIONS", '["mail"]', "第1项：只能是 database、prefect、scanner"),
    ("PLAIN_CONNECTIONS", '"database"', "应为方括号括起的列表"),
    ("DATABASE_URL", "school", "应为 postgresql+psycopg://账户:口令@主机:端口/库名"),
    ("DATABASE_URL", "nix://school", "应为 postgresql+psycopg://账户:口令@主机:端口/库名"),
    ("DATABASE_URL", "postgresql+psycopg://a:b@c:port/d", "应为 postgresql+psycopg://账户:口令@主机:端口/库名"),
    ("PREFECT_AUTH_STRING", "short", "应为 名字:口令，至少 16 个英文字符，不含空格"),
    ("PREFECT_API_URL", "prefect", "应为 https://prefect.school/api 这样的地址"),
    ("ENCRYPTION_KEY", "secret", KEY),
    ("PREVIOUS_ENCRYPTION_KEY", "secret", KEY),
    ("CERTIFICATE_KEY", "secret", KEY),
    ("FORMER_CERTIFICATE_KEYS", '["secret"]', f"第1项：{KEY}"),
    ("FORMER_CERTIFICATE_KEYS", "[1]", "第1项：应为文字"),
    ("PUBLIC_URL", "review", ADDRESS),
    ("FACE_IDLE_DAYS", "0", "应不小于 1"),
    ("FACE_LOG_DAYS", "9999", "应不大于 3650"),
    ("EVIDENCE_DAYS", "一年", "应为整数"),
    ("CONSENT_DAYS", "1.5", "应为整数"),
    ("EVIDENCE_WORKERS", "", "应为整数"),
    ("SCANNER", "clamd", "应为 /run/clamav/clamd.ctl 或 10.0.0.5:3310 这样的"),
    ("SCANNER_BYTES", "1", "应不小于 1000000"),
    ("LEASE_SECONDS", "1", "应不小于 2"),
    ("WEB_URL", "ftp://a", ADDRESS),
    ("PLAIN_HTTP", "maybe", "应为 true 或 false"),
    ("UPLOAD_BYTES", "4G", "应为整数"),
    ("SPARE_BYTES", "-1", "应不小于 10000000"),
    ("SECOND_FACTOR", '["teacher"]', "第1项：只能是 school_admin、county_admin、panel"),
    ("PERSON_REQUESTS", "1", "应不小于 60"),
    ("ADDRESS_REQUESTS", "1", "应不小于 60"),
    ("IDENTITY_PROVIDERS", "nix", LIST),
    ("IDENTITY_PROVIDERS", "{}", "应为方括号括起的列表"),
    ("IDENTITY_PROVIDERS", "[1]", "第1项：应为花括号括起的对象"),
    ("IDENTITY_PROVIDERS", "[{}]", "第1项：缺少 kind"),
    ("IDENTITY_PROVIDERS", '[{"kind": "radius"}]', "第1项：kind 只能是 oidc、cas、wecom、dingtalk"),
    ("IDENTITY_PROVIDERS", json.dumps([{**CAS, "id": "C!"}]), "第1项 id：应符合 ^[a-z0-9-]{1,30}$"),
    ("IDENTITY_PROVIDERS", json.dumps([{**CAS, "label": ""}]), "第1项 label：至少要有 1 个字"),
    ("IDENTITY_PROVIDERS", json.dumps([{**CAS, "label": "C" * 31}]), "第1项 label：最多 30 个字"),
    ("IDENTITY_PROVIDERS", json.dumps([{**CAS, "colour": "red"}]), "第1项 colour：没有这一项，请删去"),
    ("IDENTITY_PROVIDERS", json.dumps([{**CAS, "school": 1}]), "第1项 school：应为文字"),
    ("IDENTITY_PROVIDERS", json.dumps([{**CAS, "knows_numbers": "?"}]), "第1项 knows_numbers：应为 true 或 false"),
    ("IDENTITY_PROVIDERS", json.dumps([CAS, {**CAS, "url": "http://a.cn"}]), "第2项 url：应以 https 开头"),
    ("IDENTITY_PROVIDERS", json.dumps([CAS, CAS]), "有两项的 id 相同"),
    ("MESSAGE_URLS", "mailto://a", LIST),
    ("MESSAGE_URLS", '{"a": 1}', "应为方括号括起的列表"),
    ("WEBHOOK_NETWORKS", '["school"]', "第1项：应为 10.0.0.0/8 这样的网段"),
    ("LOG_JSON", "maybe", "应为 true 或 false"),
]
FOLDERS = {"HOME", "SECRETS_FOLDER", "FACE_MODELS", "BREACHED_PASSWORDS"}  # any text may be a path


def told(language: str) -> str:
    with i18n.speaking(language), pytest.raises((ValidationError, SettingsError, ArgumentError)) as no:
        engine_for(Settings().database)
    with i18n.speaking(language):
        answer = explained(no.value)
    assert answer is not None
    assert (answer.code, answer.status) == ("settings", 2)
    return answer.text


def test_every_setting_is_tried() -> None:
    assert {name for name, _value, _why in WRONG} | FOLDERS == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize(("name", "value", "why"), WRONG)
def test_a_wrong_value_is_told_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, why: str
) -> None:
    for one in [one for one in os.environ if one.startswith("REVIEW_FLOW_")]:
        monkeypatch.delenv(one)
    monkeypatch.setenv(f"REVIEW_FLOW_{name}", value)
    assert told("zh") == f"设置有误：REVIEW_FLOW_{name}（{why}）"


@pytest.mark.parametrize(("name", "value", "why"), WRONG)
def test_and_in_english(monkeypatch: pytest.MonkeyPatch, name: str, value: str, why: str) -> None:
    for one in [one for one in os.environ if one.startswith("REVIEW_FLOW_")]:
        monkeypatch.delenv(one)
    monkeypatch.setenv(f"REVIEW_FLOW_{name}", value)
    text = told("en")
    assert f"REVIEW_FLOW_{name}" in text
    assert re.findall("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]", text) == []


def test_a_setting_whose_file_is_not_there_is_told_in_words() -> None:
    found = {}
    for language in i18n.LANGUAGES:
        with i18n.speaking(language), pytest.raises(FileNotFoundError) as no:
            open("/nowhere/key")  # noqa: PTH123, SIM115 - the error is its point
        with i18n.speaking(language):
            answer = explained(no.value)
        assert answer is not None
        found[language] = answer.text
    assert found == {
        "zh": "文件读不到或写不进去：/nowhere/key（没有这个文件或文件夹）",
        "en": "The file cannot be read or written: /nowhere/key (there is no such file or folder)",
    }


def test_what_the_system_alone_can_say_stays() -> None:
    assert reason(OSError(errno.ELOOP, "Too many levels of symbolic links")) == "Too many levels of symbolic links"
    assert reason(OSError("gone")) == "gone"
