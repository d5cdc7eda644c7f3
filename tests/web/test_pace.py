from __future__ import annotations

import pytest

from review_flow.web import pace
from review_flow.web.pace import Pace, TooOften
from tests.cast import School
from tests.web.conftest import Web


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at = [1000.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: at[0])
    return at


def refused(one: Pace, key: object) -> int | None:
    try:
        one.require(key)
    except TooOften as refusal:
        return int(str(refusal.names["seconds"]))
    return None


def test_so_many_a_minute_at_once_or_spread(moment: list[float]) -> None:
    one = Pace(60)
    assert [refused(one, "a") for _time in range(62)] == [None] * 60 + [1, 1]
    assert refused(one, "b") is None
    moment[0] += 1
    assert [refused(one, "a"), refused(one, "a")] == [None, 1]
    moment[0] += 60
    assert [refused(one, "a") for _time in range(61)] == [None] * 60 + [1]


def test_the_last_that_is_allowed_is_not_refused_for_a_rounded_digit(moment: list[float]) -> None:
    moment[0] = 965.159
    assert (moment[0] + 60.0) - moment[0] > 60.0  # what a computer makes of it
    assert [refused(one, "a") for one in [Pace(1)] * 2] == [None, 60]


def test_what_is_over_is_forgotten(moment: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "MOST_KEYS", 3)
    one = Pace(60)
    for key in range(3):
        one.require(key)
    moment[0] += 5
    one.require("new")
    assert list(one._full_at) == ["new"]


def test_who_asks_without_end_waits_and_a_colleague_does_not(web: Web, school: School, moment: list[float]) -> None:
    web.app.state.pace_of_people = Pace(3)
    with web.of("T01") as client, web.of("T02") as colleague:
        assert [client.get("/me").status_code for _time in range(3)] == [200] * 3
        answer = client.get("/me")
        assert (answer.status_code, answer.headers["retry-after"], "请20秒后再试" in answer.text) == (429, "20", True)
        assert client.post("/leave", headers={"hx-request": "true"}).headers["retry-after"] == "20"
        assert [client.head("/uploads/none").status_code, colleague.get("/me").status_code] == [404, 200]


def test_an_address_that_asks_without_end_waits_before_anybody_is_known(web: Web, moment: list[float]) -> None:
    web.app.state.pace_of_addresses = Pace(2)
    with web.stranger() as client:
        found = [client.get(path).status_code for path in ("/enter", "/healthz", "/enter", "/enter", "/api/v1/rounds")]
        assert found == [200, 200, 200, 429, 429]
        assert client.get("/api/v1/rounds").headers["retry-after"] == "30"
        assert client.get("/healthz").status_code == 200
