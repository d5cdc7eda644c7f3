from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from review_flow.cli.refusals import explained
from review_flow.settings import KeysLeftBehind, Settings

KEY = "ab" * 32


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the machine's own settings."""
    for name in os.environ:
        if name.startswith("REVIEW_FLOW_"):
            monkeypatch.delenv(name)


def test_with_nothing_set_everything_lives_under_one_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    settings = Settings()
    home = tmp_path / "review-flow"
    assert settings.home == home
    assert settings.database == f"sqlite:///{home / 'review-flow.db'}"
    assert not home.exists()  # reading the settings makes nothing
    assert settings.storage == home / "storage"
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (home, home / "storage")] == [0o700, 0o700]
    assert settings.storage == settings.folder("storage")
    assert (settings.evidence_workers, settings.lease_seconds, settings.message_urls) == (2, 60, ())
    assert (settings.encryption_key, settings.prefect_api_url, settings.log_json) == (None, None, False)


def test_a_variable_sets_a_value(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REVIEW_FLOW_HOME", str(tmp_path))
    monkeypatch.setenv("REVIEW_FLOW_DATABASE_URL", "postgresql+psycopg://db/school?sslmode=verify-full")
    monkeypatch.setenv("REVIEW_FLOW_MESSAGE_URLS", '["mailto://a", "dingtalk://b"]')
    monkeypatch.setenv("REVIEW_FLOW_EVIDENCE_WORKERS", "8")
    settings = Settings()
    assert (settings.home, settings.database) == (tmp_path, "postgresql+psycopg://db/school?sslmode=verify-full")
    assert (settings.message_urls, settings.evidence_workers) == (("mailto://a", "dingtalk://b"), 8)


def test_a_secret_comes_from_a_file_and_is_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\r\n", encoding="utf-8")
    monkeypatch.setenv("REVIEW_FLOW_ENCRYPTION_KEY_FILE", str(tmp_path / "key"))
    settings = Settings()
    assert settings.encryption_key is not None
    assert settings.encryption_key.get_secret_value() == KEY
    assert KEY not in repr(settings)


def test_a_list_comes_from_a_file_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f'["{KEY}"]\n', encoding="utf-8")
    monkeypatch.setenv("REVIEW_FLOW_FORMER_CERTIFICATE_KEYS_FILE", str(tmp_path / "keys"))
    (tmp_path / "urls").write_text('["mailto://a"]', encoding="utf-8")
    monkeypatch.setenv("REVIEW_FLOW_MESSAGE_URLS_FILE", str(tmp_path / "urls"))
    (tmp_path / "services").write_text("[]", encoding="utf-8")
    monkeypatch.setenv("REVIEW_FLOW_IDENTITY_PROVIDERS_FILE", str(tmp_path / "services"))
    settings = Settings()
    assert [one.get_secret_value() for one in settings.former_certificate_keys] == [KEY]
    assert (settings.message_urls, settings.identity_providers) == (("mailto://a",), ())


def test_an_argument_wins_over_a_variable_and_that_over_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "workers").write_text("3", encoding="utf-8")
    monkeypatch.setenv("REVIEW_FLOW_EVIDENCE_WORKERS_FILE", str(tmp_path / "workers"))
    assert Settings().evidence_workers == 3
    monkeypatch.setenv("REVIEW_FLOW_EVIDENCE_WORKERS", "4")
    assert Settings().evidence_workers == 4
    assert Settings(evidence_workers=5).evidence_workers == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LEASE_SECONDS", "1"),
        ("EVIDENCE_WORKERS", "0"),
        ("EVIDENCE_WORKERS", "65"),
        ("ENCRYPTION_KEY", "secret"),
        ("FORMER_CERTIFICATE_KEYS", '["secret"]'),
        ("ENCRYPTION_KEY", "ab" * 31),
        ("LOG_JSON", "maybe"),
        ("SCANNER", "clamd.ctl"),
        ("SCANNER", "10.0.0.5:99999"),
        ("PREFECT_AUTH_STRING", "name:short"),
        ("PREFECT_AUTH_STRING", "no-name-before-this-password"),
        ("PREFECT_AUTH_STRING", "school:a word of several"),
        ("PREFECT_AUTH_STRING", "学校:0123456789abcdef"),
    ],
)
def test_a_wrong_value_refuses_to_start_and_names_its_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"REVIEW_FLOW_{name}", value)
    with pytest.raises(ValidationError) as no:
        Settings()
    assert [error["loc"][0] for error in no.value.errors()] == [name.lower()]
    told = no.value.errors()[0]["msg"].removeprefix("Value error, ")
    assert told.startswith("应为 ") == (name not in {"LEASE_SECONDS", "EVIDENCE_WORKERS", "LOG_JSON"})


def test_a_secret_file_that_is_not_there_refuses_to_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REVIEW_FLOW_ENCRYPTION_KEY_FILE", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError):
        Settings()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().evidence_workers = 3


def test_a_homes_own_key_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    (key,) = settings.face_keys()
    kept = tmp_path / "home" / "secrets" / "encryption.key"
    assert (len(key), kept.read_bytes()) == (32, key)
    assert [stat.S_IMODE(one.stat().st_mode) for one in (kept, kept.parent)] == [0o600, 0o700]
    assert Settings(home=tmp_path / "home").face_keys() == (key,)
    assert settings.secret("session.key") != key
    assert sorted(one.name for one in kept.parent.iterdir()) == ["encryption.key", "session.key"]
    assert Settings(home=tmp_path, encryption_key=KEY).face_keys() == (bytes.fromhex(KEY),)
    assert not (tmp_path / "secrets").exists()  # a set key makes none


def test_keys_may_lie_where_a_vault_s_agent_puts_them(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    settings = Settings(home=tmp_path / "home", secrets_folder=vault)
    assert settings.open_to_others() == []
    assert len(settings.secret("link.key")) == 32
    (vault / "certificate.key").write_bytes(b"v" * 32)
    assert settings.number_keys() == (b"v" * 32,)
    assert not (tmp_path / "home").exists()
    assert [stat.S_IMODE(vault.stat().st_mode), (vault / "link.key").stat().st_mode & 0o777] == [0o700, 0o600]
    (vault / "prefect.auth").write_text("school:0123456789abcdef\n", encoding="utf-8")
    (vault / "prefect.auth").chmod(0o600)
    assert settings.prefect_auth() == "school:0123456789abcdef"
    (vault / "certificate.key").chmod(0o644)
    assert settings.open_to_others() == [vault / "certificate.key"]


def test_no_new_key_is_made_where_another_folder_was_named_and_the_old_one_was_not_moved(tmp_path: Path) -> None:
    home = tmp_path / "home"
    old = Settings(home=home).number_key()
    moved = Settings(home=home, secrets_folder=tmp_path / "vault")
    for ask in (moved.number_key, moved.require_keys_moved, moved.face_keys):
        with pytest.raises(KeysLeftBehind, match=r"请先把 .*/secrets/certificate\.key 移到 .*/vault"):
            ask()
    assert list((tmp_path / "vault").iterdir()) == []
    (home / "secrets" / "certificate.key").rename(tmp_path / "vault" / "certificate.key")
    assert (moved.number_key(), len(moved.face_keys())) == (old, 1)
    moved.require_keys_moved()


def test_a_set_key_seals_and_the_former_ones_still_open(tmp_path: Path) -> None:
    (home_key,) = Settings(home=tmp_path).face_keys()
    settings = Settings(home=tmp_path, encryption_key=KEY, previous_encryption_key="cd" * 32)
    assert settings.face_keys() == (bytes.fromhex(KEY), bytes.fromhex("cd" * 32), home_key)
    settings.begin_new_face_key()  # the set key is changed by whoever set it
    assert settings.face_keys()[-1] == home_key
    kept = tmp_path / "secrets" / "encryption.key"
    assert settings.end_old_face_key() == [kept]
    assert settings.face_keys() == (bytes.fromhex(KEY), bytes.fromhex("cd" * 32))
    assert settings.end_old_face_key() == []


def test_back_to_the_homes_key_from_one_that_was_set(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, previous_encryption_key=KEY)
    home_key, set_key = settings.face_keys()
    assert (len(home_key), set_key) == (32, bytes.fromhex(KEY))


def test_a_homes_key_is_changed_and_a_killed_change_goes_on(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    (old,) = settings.face_keys()
    folder = tmp_path / "secrets"
    os.link(folder / "encryption.key", folder / "encryption.key.previous")  # killed after its first move
    assert settings.face_keys() == (old,)
    settings.begin_new_face_key()
    fresh, before = settings.face_keys()
    assert (before, len(fresh)) == (old, 32)
    assert fresh != old
    settings.begin_new_face_key()  # while faces are still sealed with the old one
    assert settings.face_keys() == (fresh, old)
    assert settings.end_old_face_key() == [folder / "encryption.key.previous"]
    assert settings.face_keys() == (fresh,)
    assert [one.name for one in folder.iterdir()] == ["encryption.key"]
    assert stat.S_IMODE((folder / "encryption.key").stat().st_mode) == 0o600
    settings.begin_new_face_key()
    assert settings.face_keys()[1:] == (fresh,)


def test_who_makes_the_key_first_wins(tmp_path: Path) -> None:
    """Eight threads begin at once: they all read the same key, and nothing is left beside it."""
    settings = Settings(home=tmp_path)
    settings.folder("secrets")
    begin = threading.Barrier(8)
    keys: list[bytes] = []

    def read() -> None:
        begin.wait()
        keys.append(settings.secret("session.key"))

    threads = [threading.Thread(target=read) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(keys) == {(tmp_path / "secrets" / "session.key").read_bytes()}
    assert len(keys) == 8
    assert [one.name for one in (tmp_path / "secrets").iterdir()] == ["session.key"]


def test_a_key_that_came_between_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(home=tmp_path)
    path = settings.folder("secrets") / "session.key"
    link = os.link

    def late(source: Path, target: Path) -> None:
        path.write_bytes(b"first")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    assert settings.secret("session.key") == b"first"


def test_the_key_of_certificate_numbers_is_the_set_one_or_made_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REVIEW_FLOW_HOME", str(tmp_path))
    own = Settings().number_key()
    assert (len(own), Settings().number_key()) == (32, own)
    assert (tmp_path / "secrets" / "certificate.key").read_bytes() == own
    monkeypatch.setenv("REVIEW_FLOW_CERTIFICATE_KEY", KEY)
    assert Settings().number_keys() == (bytes.fromhex(KEY), own)
    monkeypatch.setenv("REVIEW_FLOW_FORMER_CERTIFICATE_KEYS", f'["{"cd" * 32}", "{KEY}"]')
    assert Settings().number_keys() == (bytes.fromhex(KEY), bytes.fromhex("cd" * 32), own)
    assert len(set(Settings().derived_keys("webhooks"))) == 3
    Settings().begin_new_number_key()  # the set key is changed by whoever set it
    assert Settings().number_keys()[-1] == own


def test_a_homes_key_of_numbers_is_changed_and_the_former_ones_stay(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    first = settings.number_key()
    settings.begin_new_number_key()
    second = settings.number_key()
    settings.begin_new_number_key()
    third, *former = settings.number_keys()
    assert (len({first, second, third}), sorted(former)) == (3, sorted([first, second]))
    modes = {stat.S_IMODE(one.stat().st_mode) for one in (tmp_path / "secrets").iterdir()}
    assert (modes, len(list((tmp_path / "secrets").iterdir()))) == ({0o600}, 3)


@pytest.mark.parametrize("name", ["public_url", "web_url"])
def test_our_own_addresses_are_addresses(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    variable = f"REVIEW_FLOW_{name.upper()}"
    monkeypatch.setenv(variable, "https://school.cn/review/")
    assert getattr(Settings(), name) == "https://school.cn/review"
    for wrong in ("school.cn", "ftp://school.cn", "https://", "https://school.cn/?a=1", "https://school.cn/#a"):
        monkeypatch.setenv(variable, wrong)
        with pytest.raises(ValidationError):
            Settings()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////srv/school.db",
        "postgresql+psycopg:///school",
        "postgresql+psycopg://app@localhost/school",
        "postgresql+psycopg://app:pw@127.0.0.1:5432/school",
        "postgresql+psycopg://app@[::1]:5432/school",
        "postgresql+psycopg://app@/school?host=/run/postgresql",
        "postgresql+psycopg://app@db.school/school?sslmode=verify-full",
        "postgresql+psycopg://app:p#w?d/x@127.0.0.1/school",
        "postgresql+psycopg://app@db.school/school?hostaddr=10.0.0.5&sslmode=verify-full",
        "postgresql+psycopg://app@localhost/school?hostaddr=127.0.0.1",
        "postgresql+psycopg://app@db.school/school?sslmode=require",
        "postgresql+psycopg://app@/school?host=one.school:5432&host=two.school&sslmode=verify-ca",
    ],
)
def test_a_database_here_or_over_tls_is_taken(url: str) -> None:
    assert Settings(database_url=url).database == url


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("postgresql+psycopg://app@db.school/school", "db.school"),
        ("postgresql+psycopg://app@db.school/school?sslmode=prefer", "db.school"),
        ("postgresql+psycopg://app@10.0.0.5:5432/school", "10.0.0.5"),
        ("postgresql+psycopg://app@/school?host=/run/postgresql,db.school:5432", "db.school"),
        ("postgresql+psycopg://app@localhost/school?host=db.school", "db.school"),
        ("postgresql+psycopg:///?service=county", "county"),
        ("postgresql+psycopg://localhost:p/w@db.school/school", "db.school"),
        ("postgresql+psycopg://app:p#w@db.school/school", "db.school"),
        ("postgresql+psycopg://app@localhost/school?hostaddr=10.0.0.5", "10.0.0.5"),
        ("postgresql+psycopg://app@db.school/school?sslmode=require&sslmode=disable", "db.school"),
    ],
)
def test_a_database_elsewhere_in_the_open_is_refused_unless_somebody_says_so(url: str, host: str) -> None:
    with pytest.raises(ValidationError, match=f"到 {host} 的连接没有加密；请在地址末尾加 .sslmode=verify-full") as no:
        Settings(database_url=url)
    assert [error["loc"] for error in no.value.errors()] == [("database_url",)]
    assert Settings(database_url=url, plain_connections=("database",)).database == url


def test_the_environment_of_postgresql_counts_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.school")
    with pytest.raises(ValidationError, match=r"db\.school"):
        Settings(database_url="postgresql+psycopg:///school")
    monkeypatch.setenv("PGHOST", "/run/postgresql,db.school")
    with pytest.raises(ValidationError, match=r"到 db\.school"):
        Settings(database_url="postgresql+psycopg:///school")
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert Settings(database_url="postgresql+psycopg:///school").database_url is not None
    monkeypatch.delenv("PGSSLMODE")
    monkeypatch.setenv("PGHOSTADDR", "10.0.0.5")
    with pytest.raises(ValidationError, match=r"10\.0\.0\.5"):
        Settings(database_url="postgresql+psycopg://app@localhost/school")


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://app:horse/battery", "postgresql+psycopg://app:horse@db.school/x"]
)
def test_a_database_s_password_is_not_repeated_where_its_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError) as no:
        Settings(database_url=url)
    told = explained(no.value)
    assert told is not None
    assert "REVIEW_FLOW_DATABASE_URL（" in told.text
    assert [text for text in (told.text, str(no.value)) if "horse" in text] == []


def test_prefect_elsewhere_is_reached_over_tls_and_with_a_password() -> None:
    proof = "school:0123456789abcdef"
    for url in ("https://prefect.school/api", "http://127.0.0.1:4200/api"):
        assert Settings(prefect_api_url=url, prefect_auth_string=proof).prefect_auth() == proof
        with pytest.raises(ValidationError, match="REVIEW_FLOW_PREFECT_AUTH_STRING"):
            Settings(prefect_api_url=url)
    plain = "http://prefect.school:4200/api"
    with pytest.raises(ValidationError, match="请改用 https 地址"):
        Settings(prefect_api_url=plain, prefect_auth_string=proof)
    assert Settings(prefect_api_url=plain, prefect_auth_string=proof, plain_connections=("prefect",)).prefect_api_url
    with pytest.raises(ValidationError, match=r"应为 https://prefect\.school/api 这样的地址"):
        Settings(prefect_api_url="prefect.school", prefect_auth_string=proof)


def test_a_scanner_elsewhere_gets_files_only_where_somebody_says_so() -> None:
    assert [Settings(scanner=one).scanner for one in ("/run/clamd", "127.0.0.1:3310")] == [
        "/run/clamd",
        "127.0.0.1:3310",
    ]
    with pytest.raises(ValidationError, match=r"到 10\.0\.0\.5 的连接没有加密"):
        Settings(scanner="10.0.0.5:3310")
    assert Settings(scanner="10.0.0.5:3310", plain_connections=("scanner",)).scanner == "10.0.0.5:3310"
