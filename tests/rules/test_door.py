from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review_flow.rules.door import device_cookie, digest, is_guessed_first, known_device, password_problems, wait_s


@pytest.mark.parametrize(
    ("failures", "wait"), [(0, 0), (4, 0), (5, 1), (6, 2), (7, 4), (10, 32), (11, 60), (12, 60), (10_000, 60)]
)
def test_the_wait_doubles_up_to_a_minute(failures: int, wait: int) -> None:
    assert wait_s(failures, free=5) == wait


@pytest.mark.parametrize(
    ("password", "count"),
    [
        ("春眠不觉晓处处闻", 0),
        ("correct horse", 0),
        ("short1", 1),
        ("a" * 201, 2),
        ("aabbccdd", 1),
        ("abcT01xyz", 1),
        ("我是王芳老师没错", 1),
        ("1234567890", 1),
        ("9854321077", 1),
        ("1111", 2),
    ],
)
def test_a_password_says_what_is_wrong_with_it(password: str, count: int) -> None:
    assert len(password_problems(password, number="T01", name="王芳")) == count


@pytest.mark.parametrize(
    "password",
    [
        "iloveyou1",  # of the lists
        "iloveyou1!",
        "Teacher@2026",
        "woaini1314",
        "密码2026!!!!",
        "wf19860412",
        "19860412wf",
        "13812345678",
        "a13900001111",
        "qwert!@#yuiop",
        "Admin888888",
        "jiaoshi#2024",
    ],
)
def test_what_everybody_here_thinks_of_is_guessed_first(password: str) -> None:
    assert is_guessed_first(password, {"iloveyou1"}) is True


@pytest.mark.parametrize(
    "password",
    ["correct horse", "春眠不觉晓处处闻", "teacher of 12345 words", "qwertyuiop at my desk", "20269999", "xk3fq9vt"],
)
def test_what_is_long_or_drawn_by_lot_is_not(password: str) -> None:
    assert is_guessed_first(password, {"iloveyou1"}) is False


def test_a_number_of_one_sign_is_in_many_passwords() -> None:
    assert password_problems("correct horse", number="h", name="王芳") == []
    [stolen] = password_problems("correct horse", number="h", name="王芳", breached={"correct horse"})
    assert stolen == "这个密码在别处泄露过，攻击者会先试它。请换一个从没用过的。"


@given(st.integers(1, 10**9), st.text("0123456789abcdef", min_size=1, max_size=40))
def test_a_device_is_known_to_its_own_account_alone(person_id: int, nonce: str) -> None:
    cookie = device_cookie(b"k" * 32, person_id=person_id, nonce=nonce)
    assert known_device(b"k" * 32, person_id=person_id, cookie=cookie) == nonce
    assert known_device(b"k" * 32, person_id=person_id + 1, cookie=cookie) is None
    assert known_device(b"x" * 32, person_id=person_id, cookie=cookie) is None


@pytest.mark.parametrize("cookie", [None, "", ".", "abc", "abc.", ".abc", "abc.没有"])
def test_any_other_cookie_is_no_device(cookie: str | None) -> None:
    assert known_device(b"k" * 32, person_id=1, cookie=cookie) is None


def test_a_token_is_kept_by_its_digest() -> None:
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
