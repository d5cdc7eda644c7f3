"""The web in processes of its own: over TLS, behind a proxy, several at once."""

from __future__ import annotations

import datetime as dt
import os
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from review_flow.cli import app, serving
from review_flow.settings import Settings
from tests.conftest import Templates


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for this machine, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    return cert, private


@pytest.mark.slow
def test_several_processes_serve_over_tls_behind_a_proxy_that_is_trusted(
    tmp_path: Path, templates: Templates, pair: tuple[Path, Path]
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    cert, key = pair
    asked = ["--port", str(port), "--workers", "2", "--tls-cert", str(cert), "--tls-key", str(key)]
    serving = subprocess.Popen(
        [sys.executable, "-m", "review_flow.web", *asked, "--proxy", "127.0.0.1"],
        env={
            **os.environ,
            "REVIEW_FLOW_HOME": str(tmp_path / "home"),
            "REVIEW_FLOW_DATABASE_URL": f"sqlite:///{templates.sqlite()}",
        },
    )
    try:
        with httpx.Client(
            verify=ssl.create_default_context(cafile=cert), base_url=f"https://localhost:{port}"
        ) as client:
            until = time.monotonic() + 90
            while True:
                try:
                    ready = client.get("/readyz")
                    break
                except httpx.ConnectError:
                    assert time.monotonic() < until
                    time.sleep(0.1)
            assert ready.json() == {"ready": True, "working": True}
            assert ready.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
            told = {"x-forwarded-proto": "http", "origin": "http://localhost"}
            assert "strict-transport-security" not in client.get("/readyz", headers=told).headers
    finally:
        serving.terminate()
        assert serving.wait(30) == 0


def test_a_certificate_that_cannot_be_used_is_said_before_anything_starts(
    tmp_path: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVIEW_FLOW_HOME", str(tmp_path / "home"))
    cert, key = pair
    for given in (["--tls-cert", str(cert)], ["--tls-cert", str(key), "--tls-key", str(cert)]):
        done = CliRunner().invoke(app, ["serve", *given])
        assert (done.exit_code, "TLS 证书或私钥不能用" in done.output) == (1, True)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", ["secrets", "secrets/link.key"])
def test_keys_that_others_may_read_are_said_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    given = Settings(home=tmp_path / "home")
    given.secret("link.key")
    assert given.open_to_others() == []
    (given.home / name).chmod(0o755)
    monkeypatch.setattr(serving, "settings", lambda: given)
    done = CliRunner().invoke(app, ["serve"])
    assert (done.exit_code, f"chmod go-rwx {given.home / name}" in done.output) == (1, True)
    assert not (given.home / "review-flow.db").exists()
