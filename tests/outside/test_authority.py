from __future__ import annotations

import ssl
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from typer.testing import CliRunner

from review_flow.cli import app
from review_flow.clock import hands_at, now
from review_flow.outside import authority
from review_flow.outside.authority import AuthorityKeyGone, NotAName, NotVouchedFor
from review_flow.settings import Settings


def reached(trusted: Path, cert: Path, key: Path, name: str) -> str:
    """Shake hands as a browser that trusts one authority and asks for a name; return what it minds."""
    ours, theirs = ssl.create_default_context(cafile=trusted), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(cert, key)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    browser, server = ours.wrap_bio(back, there, server_hostname=name), theirs.wrap_bio(there, back, server_side=True)
    for side in (browser, server, browser):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
    return ""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def test_who_trusts_the_authority_reaches_the_server_by_every_name_it_was_made_for(settings: Settings) -> None:
    made = authority.make(settings, names=["School.LAN", "10.0.0.5", "实验中学.lan"])
    named = ["school.lan", "10.0.0.5", "xn--fiq353a0em29v.lan"]
    assert made.names() == named
    for name in (*named, "localhost", "127.0.0.1", "::1"):
        assert (name, reached(made.authority, made.server, made.server_key, name)) == (name, "")
    assert "mismatch" in reached(made.authority, made.server, made.server_key, "bank.example")
    modes = {stat.S_IMODE(one.stat().st_mode) for one in (made.authority_key, made.server_key, made.authority)}
    assert (modes, settings.open_to_others()) == ({0o600}, [])
    assert authority.days_left(made) in {799, 800}


def test_the_authority_can_vouch_for_nobody_else(settings: Settings, tmp_path: Path) -> None:
    """Whoever steals its key gains no other site: this is what its name constraints are for."""
    made = authority.make(settings, names=["school.lan"])
    stolen, issuer = authority._key(made.authority_key), authority._read(made.authority)
    key, forged = authority._server(["bank.example"], issuer, stolen)
    (tmp_path / "forged.crt").write_bytes(forged.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "forged.key").write_bytes(authority._private(key))
    minded = reached(made.authority, tmp_path / "forged.crt", tmp_path / "forged.key", "bank.example")
    assert minded == "permitted subtree violation"


def test_a_later_one_is_of_the_same_authority(settings: Settings) -> None:
    first = authority.make(settings, names=["school.lan"])
    trusted, served = first.authority.read_bytes(), first.server.read_bytes()
    with hands_at(now() + timedelta(days=780)):
        assert authority.days_left(first) in {19, 20}
        again = authority.make(settings, names=["review.school.lan"])
        assert (again.names(), authority.days_left(again) > 700) == (["review.school.lan"], True)
    assert (first.authority.read_bytes() == trusted, first.server.read_bytes() == served) == (True, False)
    with hands_at(now() + timedelta(days=366 * 20)):
        authority.make(settings, names=["school.lan"])
        assert first.authority.read_bytes() != trusted
    with pytest.raises(NotVouchedFor, match=r"只能为school\.lan签发证书"):
        authority.make(settings, names=["other.lan"])
    with pytest.raises(NotVouchedFor, match=r"10\.0\.0\.5"):
        authority.make(settings, names=["school.lan", "10.0.0.5"])


def test_the_authority_that_every_pc_trusts_is_not_replaced_because_its_key_is_gone(settings: Settings) -> None:
    made = authority.make(settings, names=["school.lan"])
    before = [one.read_bytes() for one in (made.authority, made.server)]
    made.authority_key.rename(made.authority_key.with_suffix(".away"))
    with pytest.raises(AuthorityKeyGone, match=r"tls-authority\.key 不在；请恢复它，或删除 .*/tls 后重新建立"):
        authority.make(settings, names=["school.lan"])
    assert [one.read_bytes() for one in (made.authority, made.server)] == before
    with hands_at(now() + timedelta(days=366 * 20)):  # nobody trusts it any more
        assert authority.make(settings, names=["school.lan"]).authority.read_bytes() != before[0]


@pytest.mark.parametrize("name", ["", "a b", "-x.lan", "school..lan", "*.school.lan", "1.2.3", "x" * 64 + ".lan"])
def test_what_is_no_name_is_said(settings: Settings, name: str) -> None:
    with pytest.raises(NotAName):
        authority.make(settings, names=[name])
    assert not (settings.home / "tls" / "server.crt").exists()


def test_the_command_makes_it_and_renews_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVIEW_FLOW_HOME", str(tmp_path / "home"))
    run = CliRunner().invoke
    for names in ([], ["--name", "localhost", "--name", "127.0.0.1"]):
        assert "--name：请写出别人打开网页用的主机名" in run(app, ["tls", "make", *names]).output
    done = run(app, ["tls", "make", "--name", "school.lan"])
    assert (done.exit_code, "已为school.lan签发证书" in done.output, "authority.crt" in done.output) == (0, True, True)
    again = run(app, ["tls", "make"]).output
    assert (again.startswith("已为school.lan签发证书"), "装到各台电脑" in again) == (True, False)
