from __future__ import annotations

import importlib
import pkgutil
import string
from collections.abc import Iterator

import pytest

import review_flow.steps
from review_flow import i18n
from review_flow.errors import BadInput, NotAllowed, Refusal
from review_flow.i18n import _, say


@pytest.fixture
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """English, with one sentence translated."""
    translated = {"找不到{what}“{key}”。": "There is no {what} {key}."}
    monkeypatch.setattr(i18n, "catalogue", lambda code: translated if code == "en" else {})
    token = i18n.language.set("en")
    yield
    i18n.language.reset(token)


def test_a_mark_changes_nothing() -> None:
    assert _("还差{count}项") == "还差{count}项"


def test_a_sentence_takes_its_names() -> None:
    assert say("还差{count}项", count=2) == "还差2项"
    assert say("{不是名字}") == "{不是名字}"  # nothing to fill in: the sentence stands as it is


def test_a_sentence_is_translated_when_it_is_read(english: None) -> None:
    assert say("找不到{what}“{key}”。", what="round", key="2026") == "There is no round 2026."
    assert say("没有译文") == "没有译文"


def test_enumerations_and_clauses_are_joined_as_the_language_does() -> None:
    assert (i18n.listed(["A1", 2]), i18n.clauses(["先读", "再写"])) == ("A1、2", "先读；再写")


def test_enumerations_and_clauses_are_joined_in_english(english: None) -> None:
    assert (i18n.listed(["A1", 2]), i18n.clauses(["read", "then write"])) == ("A1, 2", "read; then write")


def test_chinese_and_a_language_we_do_not_have_need_no_catalogue() -> None:
    assert i18n.catalogue("zh") == {}
    assert i18n.catalogue("xx") == {}


def test_a_catalogue_is_read_from_its_file(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "locale" / "en" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    text = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "合格"\nmsgstr "passed"\n\nmsgid "优秀"\nmsgstr ""\n'
    (folder / "review_flow.po").write_text(text, encoding="utf-8")
    monkeypatch.setattr(i18n, "__file__", str(tmp_path / "i18n.py"))
    i18n.catalogue.cache_clear()
    try:
        assert i18n.catalogue("en") == {"合格": "passed"}
    finally:
        i18n.catalogue.cache_clear()


def test_a_refusal_has_a_status_a_code_and_a_sentence() -> None:
    no = BadInput(field="理由", problem="请写明。")
    assert (no.status, no.code, str(no), no.names) == (
        422,
        "bad-input",
        "理由：请写明。",
        {"field": "理由", "problem": "请写明。"},
    )
    assert (Refusal().status, Refusal().code, str(Refusal())) == (409, "refusal", "现在不能这样做。")
    assert NotAllowed(why="x").code == "not-allowed"


def every_refusal() -> list[type[Refusal]]:
    for module in pkgutil.iter_modules(review_flow.steps.__path__, "review_flow.steps."):
        importlib.import_module(module.name)
    found: list[type[Refusal]] = []
    waiting = [Refusal]
    while waiting:
        found.append(waiting.pop())
        waiting += found[-1].__subclasses__()
    return [
        one for one in found if not one.__module__.startswith("review_flow.cli")
    ]  # those have exit statuses besides


def test_every_refusal_has_its_own_code_a_fitting_status_and_a_chinese_sentence() -> None:
    refusals = every_refusal()
    assert len({one.__name__ for one in refusals}) == len(refusals)
    for one in refusals:
        of_the_web = {401, 412, 423, 428, 500, 503} if one.__module__.startswith("review_flow.web") else set()
        assert one.status in {403, 404, 409, 410, 413, 415, 422, 429, 502, 507} | of_the_web, one
        assert any("一" <= letter <= "鿿" for letter in one.text) or one is BadInput, one
        names = [name for _text, name, _spec, _conversion in string.Formatter().parse(one.text) if name is not None]
        assert all(name.isidentifier() for name in names), one
