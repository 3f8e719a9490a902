"""API keys as REST shows them."""

from __future__ import annotations

from gateway_http.keys.key_models import Key, KeyWithSecret, RotatedKey
from tests.doubles.access_double import KEY_ID, SECRET, key


def test_a_whole_key_is_in_no_repr() -> None:
    shown = Key.of(key())
    for made in (KeyWithSecret(key=shown, secret=SECRET), RotatedKey(key=shown, secret=SECRET, replaced=shown)):
        assert KEY_ID in repr(made)
        assert SECRET[len(KEY_ID) :] not in repr(made)
