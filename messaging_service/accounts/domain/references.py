"""When two references name the same payment.

A payment's reference comes from the other side, for instance an M-PESA receipt number, and people type it, copy it and
read it out on its way. One payment must not be credited twice because its reference was written in another way.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from messaging_service.accounts.domain.ledger import LedgerEntry, NewEntry
from messaging_service.shared.domain import reasons
from service_kit.errors import Kind, ServiceError


def reference_problem(reference: str) -> str | None:
    """What is wrong with the letters of a payment's reference; None when nothing is.

    Letters and digits of other scripts are refused: a Greek `Κ` reads like a Latin `K` and is another character.
    """
    for character in _plain(reference):
        if character.isalnum() and not (character.isascii() or unicodedata.name(character, "").startswith("LATIN ")):
            name = unicodedata.name(character, "unnamed")
            return f"has {character!r} ({name}); write it with Latin letters and the digits 0 to 9"
    return None


def spelling(reference: str) -> str:
    """The reference without what does not count at all: case, full-width forms, spaces around it."""
    return _plain(reference).casefold().strip()


def reference_key(reference: str) -> str:
    """The same for all references that may name one payment: its letters and digits alone.

    `QK12-6766213`, `qk12 6766213` and `QK126766213` have one key. A reference without any is its own key.
    """
    known = spelling(reference)
    return "".join(character for character in known if character.isalnum()) or known


def same_booking(found: LedgerEntry, wanted: NewEntry) -> LedgerEntry:
    """The entry on record under a reference of its account; raises ServiceError REFERENCE_REUSED for another one."""
    if (found.kind, found.amount) == (wanted.kind, wanted.amount):
        return found
    raise ServiceError(
        Kind.ALREADY_EXISTS,
        reasons.REFERENCE_REUSED,
        f"this reference stands for a booking of another amount or kind, number {found.id}; nothing was booked, "
        "check the payment or use another reference",
        metadata={"entry_id": str(found.id)},
    )


def known_payment(new: NewEntry, known: Sequence[LedgerEntry], *, is_overridden: bool) -> LedgerEntry | None:
    """The entry on record that a payment is a repetition of; None when it is to be booked.

    `known`: entries whose references have the same key. Raises ServiceError REFERENCE_REUSED when one of them stands
    for another booking, is in another account, or is spelled in another way; an operator overrides the last two.
    """
    if new.reference is None:
        return None
    own = [entry for entry in known if entry.account_id == new.account_id]
    for entry in own:
        if entry.reference is not None and spelling(entry.reference) == spelling(new.reference):
            if (entry.kind, entry.amount) == (new.kind, new.amount):
                return entry
            raise _reused(
                entry,
                f"this reference stands for a booking of another amount or kind, number {entry.id}; nothing was "
                "booked, check the payment or use another reference",
            )
    if is_overridden:
        return None
    if own:
        raise _reused(
            own[0],
            f"this reference differs from that of booking number {own[0].id} in spaces or punctuation only; nothing "
            "was booked. If it is the same payment it is booked; if it is another, an operator overrides the reference",
        )
    if known:
        raise _reused(
            known[0],
            f"this reference is on record in another account, as booking number {known[0].id}; nothing was booked. A "
            "payment to the wrong account is put right by adjusting both, and another payment with the same reference "
            "by an operator's override",
        )
    return None


def _plain(reference: str) -> str:
    return unicodedata.normalize("NFKC", reference)


def _reused(entry: LedgerEntry, problem: str) -> ServiceError:
    # The account is for the operator: callers over REST see no metadata.
    return ServiceError(
        Kind.ALREADY_EXISTS,
        reasons.REFERENCE_REUSED,
        problem,
        metadata={"entry_id": str(entry.id), "account": entry.account_id},
    )
