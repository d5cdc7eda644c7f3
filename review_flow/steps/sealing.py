"""密封: bytes that only who holds the key reads, bound to whose they are (AES-GCM), so that none is put in another's place."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass, field

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


@dataclass(slots=True)
class Resealed:
    """How many things were sealed anew, and whose no key opens: those stay as they are."""

    count: int = 0
    damaged: list[str] = field(default_factory=list)

    def of(self, keys: Keys, content: bytes, *, bound_to: str) -> bytes:
        """Return it sealed with the first key: the same bytes where it is already."""
        with suppress(InvalidTag):
            unsealed(keys[:1], content, bound_to=bound_to)
            return content
        try:
            opened = unsealed(keys[1:], content, bound_to=bound_to)
        except InvalidTag:
            self.damaged.append(bound_to)
            return content
        self.count += 1
        return sealed(keys[0], opened, bound_to=bound_to)
