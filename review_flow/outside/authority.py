"""A school's own certificate authority: for an intranet that no public one can vouch for.

The authority may vouch for the names it was made for and no others (RFC 5280 name constraints), so that a PC which
trusts it is not at the mercy of whoever steals its key. Keys lie with the home's secrets, certificates are public.
"""

from __future__ import annotations

import ipaddress
import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from review_flow.clock import now
from review_flow.errors import Refusal
from review_flow.i18n import _, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from review_flow.settings import Settings

HERE = ("localhost", "127.0.0.1", "::1")
AUTHORITY_YEARS, SERVER_DAYS = 20, 800  # Apple's devices take no server's certificate of more than 825 days
LONGEST_NAME = 253


class NotAName(Refusal):
    """Neither a host's name nor an address."""

    status, text = 422, _("“{name}”不是主机名或 IP 地址；应为 review.school.lan 或 10.0.0.5 这样的。")


class NotVouchedFor(Refusal):
    """A name that the authority, made for others, can't vouch for."""

    status, text = (
        409,
        _(
            "现有的颁发机构只能为{names}签发证书，不能为“{name}”签发。"
            "如要换一套，请先删除 {folder} 再运行一次，并把新的颁发机构证书重新装到各台电脑上。"
        ),
    )


class AuthorityKeyGone(Refusal):
    """The authority that every PC trusts can't sign any more: another in its place would be trusted by none."""

    status, text = (
        409,
        _("颁发机构的私钥 {path} 不在；请恢复它，或删除 {folder} 后重新建立，并重新装到各台电脑上。"),
    )


class Pair:
    """Where the files lie in a home."""

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.home / "tls"
        self.secrets = settings.keys_folder
        self.authority, self.authority_key = self.folder / "authority.crt", self.secrets / "tls-authority.key"
        self.server, self.server_key = self.folder / "server.crt", self.secrets / "tls-server.key"

    def complete(self) -> bool:
        """Whether there is a server's certificate with its key."""
        return self.server.exists() and self.server_key.exists()

    def trusted(self) -> bool:
        """Whether there is an authority's certificate that PCs may still have installed."""
        return self.authority.exists() and _read(self.authority).not_valid_after_utc > now()

    def names(self) -> list[str]:
        """Return what the server's certificate was made for, in the order it was asked for; without this machine's own."""
        return [name for name in _names_of(_read(self.server)) if name not in HERE]

    def ends_at(self) -> datetime:
        """Return when the server's certificate runs out."""
        return _read(self.server).not_valid_after_utc


def make(settings: Settings, *, names: Sequence[str]) -> Pair:
    """Make the home's authority where there is none, and a server's certificate for these names and this machine.

    Raises NotAName, NotVouchedFor, AuthorityKeyGone.
    """
    pair = Pair(settings)
    settings.folder("tls")
    settings.made_keys_folder()
    every = tuple(dict.fromkeys([*map(_name, names), *HERE]))
    if not pair.trusted():
        key, made = _authority(every)
        _write(pair.authority_key, _private(key))
        _write(pair.authority, made.public_bytes(serialization.Encoding.PEM))
    elif not pair.authority_key.exists():
        raise AuthorityKeyGone(path=pair.authority_key, folder=pair.folder)
    authority = _read(pair.authority)
    _require_allowed(authority, every, pair.folder)
    key, made = _server(every, authority, _key(pair.authority_key))
    _write(pair.server_key, _private(key))
    _write(pair.server, made.public_bytes(serialization.Encoding.PEM))
    return pair


def _name(given: str) -> str:
    """Return a name as certificates hold it; raises NotAName."""
    with suppress(ValueError):
        return str(ipaddress.ip_address(given))
    try:
        name = given.strip().rstrip(".").lower().encode("idna").decode()
    except UnicodeError:
        raise NotAName(name=given) from None
    parts = name.split(".")
    fine = all(part and not part.startswith("-") and part.replace("-", "").isalnum() for part in parts)
    if not fine or len(name) > LONGEST_NAME or parts[-1].isdecimal():
        raise NotAName(name=given)
    return name


def _general(names: Iterable[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _subtrees(names: Iterable[str]) -> list[x509.GeneralName]:
    """Return what an authority of these names may vouch for: each name with all below it, each address alone."""
    return [
        x509.IPAddress(ipaddress.ip_network(one.value)) if isinstance(one, x509.IPAddress) else one
        for one in _general(names)
    ]


def _authority(names: Sequence[str]) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    title = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"review-flow {names[0]}"[:64])])
    begun = now()
    builder = (
        x509.CertificateBuilder(title, title, key.public_key(), x509.random_serial_number())
        .not_valid_before(begun - timedelta(days=1))
        .not_valid_after(begun + timedelta(days=365 * AUTHORITY_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.NameConstraints(_subtrees(names), None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return key, builder.sign(key, hashes.SHA256())


def _server(
    names: Sequence[str], authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    title = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    begun = now()
    builder = (
        x509.CertificateBuilder(authority.subject, title, key.public_key(), x509.random_serial_number())
        .not_valid_before(begun - timedelta(days=1))
        .not_valid_after(min(begun + timedelta(days=SERVER_DAYS), authority.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_general(names)), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    return key, builder.sign(authority_key, hashes.SHA256())


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _require_allowed(authority: x509.Certificate, names: Sequence[str], folder: Path) -> None:
    allowed = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    hosts = [one.value for one in allowed if isinstance(one, x509.DNSName)]
    networks = [ipaddress.ip_network(one.value) for one in allowed if isinstance(one, x509.IPAddress)]
    for one in _general(names):
        if isinstance(one, x509.IPAddress):
            fine = any(ipaddress.ip_address(str(one.value)) in network for network in networks)
        else:
            fine = any(one.value == host or str(one.value).endswith(f".{host}") for host in hosts)
        if not fine:
            told = [*hosts, *(str(network.network_address) for network in networks)]
            raise NotVouchedFor(names=listed(one for one in told if one not in HERE), name=one.value, folder=folder)


def _names_of(certificate: x509.Certificate) -> list[str]:
    held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(one.value) for one in held]


def _read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    return cast("ec.EllipticCurvePrivateKey", serialization.load_pem_private_key(path.read_bytes(), None))


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _write(path: Path, content: bytes) -> None:
    """Put a file in place whole, closed to others."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)


def days_left(pair: Pair) -> int:
    """Return for how many days the server's certificate is still good; negative where it has run out."""
    return (pair.ends_at() - now().astimezone(UTC)).days
