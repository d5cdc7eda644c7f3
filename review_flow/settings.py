"""What an operator may set: REVIEW_FLOW_<NAME>, or REVIEW_FLOW_<NAME>_FILE naming a file that holds it.

With nothing set, everything lives under one home folder, made on first use and closed to others.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import AfterValidator, Field, IPvAnyNetwork, SecretStr
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from review_flow.errors import Refusal
from review_flow.i18n import _, say
from review_flow.settings_identity import Providers
from review_flow.settings_lines import DatabaseUrl, Plain, PrefectProof, PrefectUrl, ScannerPlace

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic.fields import FieldInfo

PREFIX = "REVIEW_FLOW_"
KEY_BYTES = 32
OPEN_TO_OTHERS = 0o077
HOME_KEY, PREVIOUS_HOME_KEY = "encryption.key", "encryption.key.previous"
NUMBER_KEY = "certificate.key"
PREFECT_PROOF = "prefect.auth"


class KeysLeftBehind(Refusal):
    """Another folder was named for the keys, and those that were in use lie in the old one."""

    status, text = 409, _("请先把 {old} 移到 {folder}，再启动；否则会生成新的密钥，原来加密和编号的就认不出了。")


class FromFiles(PydanticBaseSettingsSource):
    """Read a setting from the file that REVIEW_FLOW_<NAME>_FILE names, as container secrets come."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the base's signature
        """Return the file's content without its last line break, or None where no file is named."""
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        return (Path(path).read_text(encoding="utf-8").rstrip("\r\n") if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return every setting that a file holds."""
        found = {}
        for name, field in self.settings_cls.model_fields.items():
            value, _name, is_list = self.get_field_value(field, name)
            if value is not None:
                found[name] = self.prepare_field_value(name, field, value, is_list)
        return found


def _hex_key(key: SecretStr) -> SecretStr:
    with suppress(ValueError):
        if len(_key(key)) == KEY_BYTES:
            return key
    raise ValueError(say(_("应为 {count} 位十六进制数字"), count=2 * KEY_BYTES))


def _key(key: SecretStr) -> bytes:
    return bytes.fromhex(key.get_secret_value())


def _fresh_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def _fresh_proof() -> bytes:
    return f"review-flow:{secrets.token_hex(KEY_BYTES)}".encode()


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(say(_("应为 {like} 这样的地址"), like="https://review.school.cn"))
    return url.rstrip("/")


class Settings(BaseSettings):
    """The settings of one installation; wrong ones refuse to load."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, hide_input_in_errors=True)

    home: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("review-flow")))
    plain_connections: tuple[Plain, ...] = ()
    """Which lines to other machines need no encryption, since nobody else is on them; before what it is about."""
    secrets_folder: Path | None = None
    """Where keys lie that are not set one by one: a folder that a vault's agent fills; without it, in the home."""
    database_url: DatabaseUrl | None = None
    prefect_auth_string: PrefectProof | None = None
    """What opens the operator's own Prefect server, as name:password; the embedded one makes its own."""
    prefect_api_url: PrefectUrl | None = None
    encryption_key: Annotated[SecretStr, AfterValidator(_hex_key)] | None = None
    previous_encryption_key: Annotated[SecretStr, AfterValidator(_hex_key)] | None = None
    """The key before this one, as long as `review-flow rotate-face-key` has not sealed everything anew."""
    certificate_key: Annotated[SecretStr, AfterValidator(_hex_key)] | None = None
    """What only this installation can make certificate numbers with."""
    former_certificate_keys: tuple[Annotated[SecretStr, AfterValidator(_hex_key)], ...] = ()
    """Those before it, as a JSON list: what was numbered or sealed with them is known and opened for good."""
    public_url: Annotated[str, AfterValidator(_web_address)] | None = None
    """Where strangers reach this installation: a certificate's QR code opens <public_url>/verify/<number>."""
    face_idle_days: Annotated[int, Field(ge=1, le=3650)] = 180
    """How long a face is kept of somebody who is in no round."""
    face_log_days: Annotated[int, Field(ge=180, le=3650)] = 1095
    """How long it is kept who read faces for what; six months at least."""
    evidence_days: Annotated[int, Field(ge=30, le=3650)] = 365
    """How long files of evidence are kept once a round's results are effective and its appeals over (domain 7.2, 6)."""
    consent_days: Annotated[int, Field(ge=1095, le=3650)] = 1095
    """How long it is kept who consented, after the last use; three years at least."""
    face_models: Path | None = None
    """A folder with the school's own YuNet, SFace and their calibration; used once it is complete."""
    evidence_workers: Annotated[int, Field(ge=1, le=64)] = 2
    scanner: ScannerPlace | None = None
    """Where clamd listens: a socket's path, or host:port. Without it no file is looked into for viruses."""
    scanner_bytes: Annotated[int, Field(ge=1_000_000, le=2_000_000_000)] = 100_000_000
    """How much of a file clamd is sent; not more than its StreamMaxLength."""
    lease_seconds: Annotated[int, Field(ge=2, le=3600)] = 60
    """How long a worker may be silent before another takes its item over."""
    web_url: Annotated[str, AfterValidator(_web_address)] | None = None
    """Where people reach the web application: links that are printed begin with it; None: where it listens."""
    breached_passwords: Path | None = None
    """Have I Been Pwned's list of SHA-1 hashes, sorted: no password that stands in it is taken."""
    plain_http: bool = False
    """Whether other machines may be spoken to without TLS, which `review-flow serve` else refuses."""
    upload_bytes: Annotated[int, Field(ge=1_000_000)] = 4_000_000_000
    """The largest file that a teacher may send."""
    spare_bytes: Annotated[int, Field(ge=10_000_000)] = 1_000_000_000
    """How much of the disk uploads leave free: the database must be able to write there."""
    second_factor: tuple[Literal["school_admin", "county_admin", "panel"], ...] = ()
    """Who must have a second factor to sign in: administrators, members of a panel; the others may."""
    person_requests: Annotated[int, Field(ge=60)] = 1200
    """How many requests a minute of one signed-in person are answered."""
    address_requests: Annotated[int, Field(ge=60)] = 60_000
    """How many a minute of one address, behind which a whole school may stand."""
    identity_providers: Annotated[Providers, NoDecode] = ()
    """Who else may say who somebody is (docs/sign-in.md)."""
    message_urls: tuple[str, ...] = ()
    webhook_networks: tuple[IPvAnyNetwork, ...] = ()
    """Private networks that webhooks may be sent into, such as ["10.0.0.0/8"]; plain HTTP goes only there."""
    log_json: bool = False

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over variables, variables over files."""
        return init_settings, env_settings, FromFiles(settings_cls)

    @cached_property
    def database(self) -> str:
        """Return the SQLAlchemy URL: the set one, or a SQLite file under the home."""
        return self.database_url or f"sqlite:///{self.home / 'review-flow.db'}"

    @cached_property
    def storage(self) -> Path:
        """Return the folder of the evidence files."""
        return self.folder("storage")

    def folder(self, name: str) -> Path:
        """Return a folder under the home, made with mode 0700 when missing."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)  # `parents` would give the home the default mode
        path = self.home / name
        path.mkdir(exist_ok=True, mode=0o700)
        return path

    @property
    def keys_folder(self) -> Path:
        """Return the folder of the keys: of this home, unless a vault's agent keeps another; it may not be there yet."""
        return self.secrets_folder or self.home / "secrets"

    def made_keys_folder(self) -> Path:
        """Return it, made with mode 0700 when missing."""
        if self.secrets_folder is None:
            return self.folder("secrets")
        self.secrets_folder.mkdir(exist_ok=True, mode=0o700)
        return self.secrets_folder

    def secret(self, name: str, fresh_one: Callable[[], bytes] = _fresh_key) -> bytes:
        """Return what is kept under a name in the folder of the keys, made once with mode 0600: 32 random bytes, if nothing else."""
        path = self.made_keys_folder() / name
        if not path.exists():
            self.require_keys_moved()
        fresh = path.with_name(f".{name}.{os.getpid()}.{secrets.token_hex(4)}")
        if not path.exists():
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(fresh_one())
            try:
                os.link(fresh, path)  # whoever is first wins, and nobody ever reads half a key
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return path.read_bytes()

    def require_keys_moved(self) -> None:
        """Raise KeysLeftBehind where `secrets_folder` was set and a key of the home's is not there: no second is made."""
        left = (path for path in sorted((self.home / "secrets").glob("[!.]*")))
        behind = next((path for path in left if not (self.keys_folder / path.name).exists()), None)
        if behind is not None:
            raise KeysLeftBehind(old=behind, folder=self.keys_folder)

    def open_to_others(self) -> list[Path]:
        """Return what other users of this machine may read of the home and its secrets; nothing where all is well."""
        folder = self.keys_folder
        kept = [self.home, folder, *sorted(folder.glob("*"))]
        return [path for path in kept if path.exists() and path.stat().st_mode & OPEN_TO_OTHERS]

    def prefect_auth(self) -> str:
        """Return what opens Prefect's API: what is set, else the home's own for the embedded server, made once."""
        if self.prefect_auth_string is not None:
            return self.prefect_auth_string.get_secret_value()
        return self.secret(PREFECT_PROOF, _fresh_proof).decode().rstrip("\r\n")  # an agent may end the line

    def number_keys(self) -> tuple[bytes, ...]:
        """Return the keys of certificate numbers: the first makes them, all know them again; read anew each time.

        The set key (64 hex digits) comes before the home's own, which is made once; then those of before.
        """
        first = _key(self.certificate_key) if self.certificate_key else self.secret(NUMBER_KEY)
        kept = sorted(self.keys_folder.glob(f"{NUMBER_KEY}*"))
        return tuple(
            dict.fromkeys([first, *map(_key, self.former_certificate_keys), *(one.read_bytes() for one in kept)])
        )

    def number_key(self) -> bytes:
        """Return the one that makes them now."""
        return self.number_keys()[0]

    def derived_keys(self, label: str) -> tuple[bytes, ...]:
        """Return the keys of one purpose, made of those: the first seals, all open; the same on machines that share them."""
        return tuple(
            hmac.new(key, f"review-flow {label}".encode(), hashlib.sha256).digest() for key in self.number_keys()
        )

    def begin_new_number_key(self) -> None:
        """Put a new home key in the place of the old one, which stays beside it for good.

        Killed at any point it can be called again. A key that was set is changed by whoever set it.
        """
        if self.certificate_key is not None:
            return
        key, old = self.made_keys_folder() / NUMBER_KEY, self.secret(NUMBER_KEY)
        former = key.with_name(f"{NUMBER_KEY}.{hashlib.sha256(old).hexdigest()[:16]}")
        if not former.exists():
            os.link(key, former)
        name = f".{NUMBER_KEY}.{secrets.token_hex(4)}"
        self.secret(name)
        key.with_name(name).replace(key)

    def face_keys(self) -> tuple[bytes, ...]:
        """Return the keys of reference faces: the first seals, all open; read anew each time, for they may change.

        The set key (64 hex digits) comes before the home's own. Later ones are there while keys are being changed.
        """
        first = self.encryption_key and _key(self.encryption_key)
        given = [first or self.secret(HOME_KEY)]
        given += [_key(one) for one in [self.previous_encryption_key] if one is not None]
        kept = (self.keys_folder / name for name in (HOME_KEY, PREVIOUS_HOME_KEY))
        given += [path.read_bytes() for path in kept if path.exists()]
        return tuple(dict.fromkeys(given))

    def begin_new_face_key(self) -> None:
        """Put a new home key in the place of the old one, which stays beside it; not while one is already changed.

        Killed at any point it can be called again. A key that was set is changed by whoever set it.
        """
        if self.encryption_key is not None:
            return
        folder = self.made_keys_folder()
        key, previous = folder / HOME_KEY, folder / PREVIOUS_HOME_KEY
        old = self.secret(HOME_KEY)
        if not previous.exists():
            os.link(key, previous)
        if previous.read_bytes() == old:  # killed here, the next call goes on
            name = f".{HOME_KEY}.{secrets.token_hex(4)}"
            self.secret(name)
            (folder / name).replace(key)

    def end_old_face_key(self) -> list[Path]:
        """Remove the key files that nothing uses any more, and return them."""
        folder = self.keys_folder
        unused = [folder / PREVIOUS_HOME_KEY, *([folder / HOME_KEY] if self.encryption_key is not None else [])]
        there = [path for path in unused if path.exists()]
        for path in there:
            path.unlink()
        return there
