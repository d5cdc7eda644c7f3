from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidTag

from review_flow.steps.sealing import Resealed, sealed, unsealed

KEY = b"k" * 32


def test_what_is_sealed_is_opened_with_its_key_where_it_belongs() -> None:
    kept = sealed(KEY, b"secret", bound_to="person:1")
    assert unsealed((KEY,), kept, bound_to="person:1") == b"secret"
    assert (b"secret" in kept, kept == sealed(KEY, b"secret", bound_to="person:1")) == (False, False)
    for key, content, owner in (
        (b"x" * 32, kept, "person:1"),
        (KEY, kept, "person:2"),
        (KEY, kept[:-1] + bytes([kept[-1] ^ 1]), "person:1"),
    ):
        with pytest.raises(InvalidTag):
            unsealed((key,), content, bound_to=owner)


def test_a_former_key_opens_until_it_is_sealed_anew() -> None:
    former, keys = sealed(KEY, b"secret", bound_to="person:1"), (b"n" * 32, KEY)
    assert unsealed(keys, former, bound_to="person:1") == b"secret"
    done = Resealed()
    fresh = done.of(keys, former, bound_to="person:1")
    assert unsealed(keys[:1], fresh, bound_to="person:1") == b"secret"
    assert done.of(keys, fresh, bound_to="person:1") == fresh
    assert done.of((b"x" * 32, b"y" * 32), former, bound_to="person:1") == former
    assert (done.count, done.damaged) == (1, ["person:1"])
