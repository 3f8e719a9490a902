"""Values under a key are read by that key, at their place, and by nobody else."""

from __future__ import annotations

import pytest

from service_kit.encryption.envelope import (
    DataKey,
    EnvelopeError,
    from_text,
    is_sealed,
    key_of,
    new_key,
    to_text,
)

PLACE = b"message.content:1"
VALUE = b"Your code is 84210973."


def test_what_was_sealed_is_opened_at_its_place() -> None:
    key = DataKey.of(7, new_key())
    envelope = key.seal(VALUE, PLACE)
    assert VALUE not in envelope
    assert key_of(envelope) == 7
    assert key.open(envelope, PLACE) == VALUE


def test_no_two_envelopes_of_a_value_are_the_same() -> None:
    key = DataKey.of(7, new_key())
    assert key.seal(VALUE, PLACE) != key.seal(VALUE, PLACE)


def test_an_envelope_is_worth_nothing_at_another_place() -> None:
    key = DataKey.of(7, new_key())
    with pytest.raises(EnvelopeError, match="moved"):
        key.open(key.seal(VALUE, PLACE), b"message.content:2")


def test_a_changed_envelope_is_refused_whatever_byte_it_is() -> None:
    key = DataKey.of(7, new_key())
    envelope = key.seal(b"x", PLACE)
    for position in range(len(envelope)):
        changed = bytearray(envelope)
        changed[position] ^= 1
        with pytest.raises(EnvelopeError):
            key.open(bytes(changed), PLACE)


def test_another_key_with_the_same_number_opens_nothing() -> None:
    envelope = DataKey.of(7, new_key()).seal(VALUE, PLACE)
    with pytest.raises(EnvelopeError):
        DataKey.of(7, new_key()).open(envelope, PLACE)


@pytest.mark.parametrize("broken", [b"", b"\x01", b"\x02" + bytes(40)])
def test_what_is_no_envelope_is_refused(broken: bytes) -> None:
    with pytest.raises(EnvelopeError):
        key_of(broken)


def test_a_key_does_not_show_in_its_repr() -> None:
    raw = new_key()
    assert raw.hex() not in repr(DataKey.of(7, raw))
    assert "cipher" not in repr(DataKey.of(7, raw))


def test_an_envelope_stands_in_a_column_of_text() -> None:
    envelope = DataKey.of(7, new_key()).seal(VALUE, PLACE)
    text = to_text(envelope)
    assert is_sealed(text)
    assert not is_sealed("whsec_c2VjcmV0")
    assert from_text(text) == envelope
    with pytest.raises(EnvelopeError):
        from_text("sealed:1:not base64")
