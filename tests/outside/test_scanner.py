from __future__ import annotations

import io
import os
import socketserver
from pathlib import Path

import pytest

from review_flow.outside.scanner import Clamd, Look, NoScanner, ScannerAway, scanner_at, tried
from tests.outside import clamd as stand_in
from tests.outside.clamd import EICAR, clamd

REAL = os.environ.get("CLAMD", "")


def test_what_is_found_is_named_and_what_is_clean_is_clean(tmp_path: Path) -> None:
    for place in (tmp_path / "s", None):
        with clamd(place) as there:
            scanner = scanner_at(there, most=200_000)
            assert tried(there, most=200_000) == Look(None)
            assert scanner.look(io.BytesIO(b"x" * 150_000 + EICAR)) == Look("Eicar-Signature")
            assert scanner.look(io.BytesIO(b"x" * 200_000)) == Look(None)
            assert scanner.look(io.BytesIO(b"")) == Look(None)
            assert scanner.look(io.BytesIO(b"x" * 200_001)) == Look(None, whole=False)


def test_more_than_clamd_takes_is_no_clean_file() -> None:
    with clamd() as there, pytest.raises(ScannerAway) as no:
        Clamd(there, most=2 * stand_in.MOST).look(io.BytesIO(b"x" * 2 * stand_in.MOST))
    assert "INSTREAM size limit exceeded" in str(no.value) or "reset" in str(no.value)
    with clamd() as there, pytest.raises(ScannerAway):
        tried(there, most=2 * stand_in.MOST)


def test_what_clamd_s_own_limits_cut_short_is_not_harmful_but_seen_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_in, "LIMIT", 1000)
    with clamd() as there:
        assert Clamd(there, most=2000).look(io.BytesIO(b"x" * 1001)) == Look(None, whole=False)
        assert tried(there, most=1001) == Look(None, whole=False)
        assert tried(there, most=1000) == Look(None)


class Mute(socketserver.BaseRequestHandler):
    """Hears all of it and hangs up without a word."""

    def handle(self) -> None:
        while not self.request.recv(1 << 16).endswith(b"\0\0\0\0"):
            pass


class Slow(socketserver.BaseRequestHandler):
    """Says half an answer."""

    def handle(self) -> None:
        while not self.request.recv(1 << 16).endswith(b"\0\0\0\0"):
            pass
        self.request.sendall(b"stream: O")


@pytest.mark.parametrize("kind", [Mute, Slow])
def test_no_answer_and_half_an_answer_are_no_clean_file(
    kind: type[socketserver.BaseRequestHandler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_in, "Line", kind)
    with clamd() as there, pytest.raises(ScannerAway):
        Clamd(there, most=1000).look(io.BytesIO(b"x"))


@pytest.mark.parametrize("place", ["/nowhere/clamd.ctl", "127.0.0.1:9", f"{'x' * 64}:3310"])
def test_where_nobody_is_nothing_is_clean(place: str) -> None:
    scanner = scanner_at(place, most=1000)
    with pytest.raises(ScannerAway, match="查毒服务没有给出结论"):
        scanner.look(io.BytesIO(b"x"))


def test_no_scanner_finds_nothing() -> None:
    scanner = scanner_at(None, most=1000)
    assert isinstance(scanner, NoScanner)
    assert scanner.look(io.BytesIO(EICAR)) == Look(None)


@pytest.mark.skipif(not REAL, reason="CLAMD names no running clamd with a signature of EICAR")
def test_a_real_clamd_says_the_same() -> None:
    scanner = Clamd(REAL, most=4_000_000)
    found = scanner.look(io.BytesIO(EICAR))
    assert found.malware is not None
    assert scanner.look(io.BytesIO(b"x" * 3_000_000)) == Look(None)
