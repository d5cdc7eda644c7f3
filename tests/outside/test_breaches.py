from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from review_flow.outside.breaches import Breaches, BreachesUnreadable, breaches_in

WORDS = [f"word {number}" for number in range(300)]


def sha1(word: str) -> str:
    return hashlib.sha1(word.encode()).hexdigest().upper()


def listed(path: Path, words: list[str], *, end: str = "\r\n", last: str = "\r\n") -> Breaches:
    lines = [f"{hashed}:{place % 7 * 10 ** (place % 9) + 1}" for place, hashed in enumerate(sorted(map(sha1, words)))]
    path.write_bytes((end.join(lines) + (last if lines else "")).encode())
    return Breaches(path)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 299])
@pytest.mark.parametrize(("end", "last"), [("\r\n", "\r\n"), ("\n", "\n"), ("\n", "")])
def test_every_password_of_a_list_is_found_and_no_other(tmp_path: Path, count: int, end: str, last: str) -> None:
    found = listed(tmp_path / "list", WORDS[:count], end=end, last=last)
    assert [word for word in WORDS if word in found] == WORDS[:count]
    assert found.problem() == (None if count else "not sorted by hash")


def test_a_list_in_small_letters_and_without_counts_is_read_as_well(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("\n".join(sorted(sha1(word).lower() for word in WORDS)))
    assert all(word in Breaches(tmp_path / "list") for word in WORDS)


def test_what_is_no_such_list_lets_nobody_through(tmp_path: Path) -> None:
    path = tmp_path / "list"
    for content in (b"password\n123456\n", b"\x00" * 5000, (b"A" * 32 + b":1\n") * 100):
        path.write_bytes(content)
        with pytest.raises(BreachesUnreadable, match="泄露密码库") as no, capture_logs() as noted:
            assert "anything" in Breaches(path)
        assert ([one["why"][:15] for one in noted], "SHA-1:" in str(no.value)) == (["not SHA-1:count"], False)
        assert [one for one in ("password", "AAAA") if one in noted[0]["why"]] == []
        assert "not SHA-1:count" in (Breaches(path).problem() or "")
    path.write_bytes("".join(f"{sha1(word)}:1\n" for word in WORDS).encode())
    assert Breaches(path).problem() == "not sorted by hash"
    path.unlink()
    with pytest.raises(BreachesUnreadable) as no, capture_logs() as noted:
        assert "anything" in Breaches(path)
    assert (str(path) in str(no.value), str(path) in noted[0]["why"]) == (False, True)
    assert "No such file" in (Breaches(path).problem() or "")


def test_without_a_list_nothing_is_refused() -> None:
    assert "password" not in breaches_in(None)
