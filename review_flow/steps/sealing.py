"""密封: bytes that only who holds the key reads, bound to whose they are (AES-GCM), so that none is put in another's place."""

from __future__ import annotations

import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12


def sealed(key: bytes, content: bytes, *, bound_to: str) -> bytes:
    """Return the content encrypted, a fresh nonce before it; never the same bytes twice. `key`: 32 bytes."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, bound_to.encode())


def unsealed(key: bytes, content: bytes, *, bound_to: str) -> bytes:
    """Return what was sealed; raises cryptography's InvalidTag for another key, another binding, or changed bytes."""
    return AESGCM(key).decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], bound_to.encode())
