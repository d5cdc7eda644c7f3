from __future__ import annotations

import pytest

from review_flow.rules import second_factor as rules

SECRET = b"12345678901234567890"  # of RFC 6238, appendix B


@pytest.mark.parametrize(
    ("at_s", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_standard(at_s: int, code: str) -> None:
    assert rules.code_at(SECRET, at_s // rules.STEP_S) == code


def test_a_code_holds_for_its_half_minute_and_the_ones_beside_it_and_once() -> None:
    code, step = rules.code_at(SECRET, 100), 100
    near = [rules.step_of(SECRET, code, at_s=at, after=0) for at in (2969.0, 2970.0, 3000.0, 3059.9, 3060.0)]
    assert near == [None, step, step, step, None]
    assert rules.step_of(SECRET, code, at_s=3000.0, after=step) is None
    assert rules.step_of(SECRET, "", at_s=3000.0, after=0) is None
    assert rules.step_of(SECRET, "１２３４５６", at_s=3000.0, after=0) is None


def test_what_an_authenticator_reads() -> None:
    assert rules.address_of(SECRET, issuer="校", account="T 01") == (
        "otpauth://totp/%E6%A0%A1:T%2001?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=%E6%A0%A1"
    )


def test_a_recovery_code_is_read_however_it_is_written() -> None:
    code = rules.new_recovery_code()
    assert [len(one) for one in code.split("-")] == [4] * 6
    assert rules.plain(f" {code.lower().replace('-', ' ')} ") == code.replace("-", "")
    assert rules.plain("１２３ ４５６") == "123456"
    assert code != rules.new_recovery_code()
