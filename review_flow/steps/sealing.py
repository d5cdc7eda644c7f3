"""密封: bytes that only who holds the key reads, bound to whose they are (AES-GCM), so that none is put in another's place."""

from __future__ import annotations

import secrets
from contextlib import suppress

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

Keys = tuple[bytes, ...]
"""The first seals, each of them opens."""
NONCE_BYTES = 12


def sealed(key: bytes, content: bytes, *, bound_to: str) -> bytes:
    """Return the content encrypted, a fresh nonce before it; never the same bytes twice. `key`: 32 bytes."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, bound_to.encode())


def unsealed(keys: Keys, content: bytes, *, bound_to: str) -> bytes:
    """Return what was sealed; raises cryptography's InvalidTag for other keys, another binding, or changed bytes."""
    for key in keys:
        with suppress(InvalidTag):
            return AESGCM(key).decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], bound_to.encode())
    raise InvalidTag


def sealed_anew(keys: Keys, content: bytes, *, bound_to: str) -> bytes | None:
    """Return it sealed with the first key; None where it is already. Raises as `unsealed` does."""
    with suppress(InvalidTag):
        unsealed(keys[:1], content, bound_to=bound_to)
        return None
    return sealed(keys[0], unsealed(keys[1:], content, bound_to=bound_to), bound_to=bound_to)
