"""Adds, ends, lists and checks entries of the suppression list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from messaging_service.opt_outs.domain.suppression import OF_THE_PHONE, Scope, Source, Suppression
from messaging_service.opt_outs.suppression_store import Added, NewSuppression, SuppressionFilter, Suppressions
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, text_problem
from messaging_service.shared.domain.sender_id import sender_id_problem
from messaging_service.shared.phone_numbers import PhoneNumberCheck
from service_kit.access.principal import Accounts
from service_kit.audit.actor import Actor
from service_kit.errors import Kind, ServiceError, Violation, invalid
from service_kit.identifiers import identifier_problem

MAX_REASON = 200
STOP_WAIT_S = 1.0
"""How long an addition waits for acceptances that overlap with it; they take milliseconds."""


class OptOutLog(Protocol):
    """Where additions report what an operator should see."""

    def queued_stopped(self, messages: int) -> None:
        """Messages to phones that opted out were cancelled in the queue."""
        ...


@dataclass(frozen=True, slots=True)
class AddedSuppression:
    """The answer to an addition."""

    added: Added
    cancelled: int
    """Messages that waited in the queue and were cancelled."""


class OptOuts:
    """The use cases behind SuppressionService."""

    def __init__(
        self,
        suppressions: Suppressions,
        *,
        phone_problem: PhoneNumberCheck,
        new_id: Callable[[], UUID],
        log: OptOutLog,
        look_again: Callable[[], None],
    ) -> None:
        """`look_again`: notifies the processor that a message to a phone that opted out is still on its way."""
        self._log = log
        self._look_again = look_again
        self._suppressions = suppressions
        self._phone_problem = phone_problem
        self._new_id = new_id

    async def add(self, scope: Scope, source: Source, reason: str, by: str, *, actor: Actor) -> AddedSuppression:
        """Makes an entry and cancels what it covers in the queue; repeating it is harmless.

        Raises ServiceError INVALID that names every field at fault.
        """
        found = _scope_faults(self._phone_problem, scope.phone, scope.sender_id, scope.account_id)
        if not found and scope.account_id is not None and (problem := identifier_problem(scope.account_id)):
            found.append(Violation("user_id", reasons.INVALID_IDENTIFIER, problem))
        found.extend(_faults(source, reason, created_by=by))
        if found:
            raise invalid(found)
        added = await self._suppressions.add(NewSuppression(self._new_id(), scope, source, reason, by), actor=actor)
        stopped = await self._suppressions.stop_queued([added.suppression.id], STOP_WAIT_S)
        if stopped.messages:
            self._log.queued_stopped(stopped.messages)
        if not stopped.complete:
            self._look_again()
        return AddedSuppression(added, stopped.messages)

    async def remove(
        self, suppression_id: UUID, accounts: Accounts, source: Source, reason: str, by: str, *, actor: Actor
    ) -> Suppression:
        """Ends an entry for one of the caller's accounts; one that ended before is answered as it ended.

        Only a caller of all `accounts`, who gives None, ends entries for every account.

        Raises ServiceError INVALID, or SUPPRESSION_NOT_FOUND.
        """
        if found := _faults(source, reason, ended_by=by):
            raise invalid(found)
        ended = await self._suppressions.end(suppression_id, accounts, source, by, reason, actor=actor)
        if ended is None:
            raise suppression_not_found()
        return ended

    async def list(
        self, wanted: SuppressionFilter, limit: int, after: tuple[datetime, UUID] | None
    ) -> Sequence[Suppression]:
        """Entries, newest first, those after a position. Raises ServiceError INVALID that names the filter at fault."""
        if found := _scope_faults(self._phone_problem, wanted.phone, wanted.sender_id, wanted.account_id):
            raise invalid(found)
        return await self._suppressions.list(wanted, limit, after)

    async def covering(self, scope: Scope) -> Sequence[Suppression]:
        """The entries that stop a message of the account under the sender id to the phone, oldest first.

        Raises ServiceError INVALID that names every field at fault; here the scope has no part left open.
        """
        found = _scope_faults(self._phone_problem, scope.phone, scope.sender_id, scope.account_id)
        missing = {"sender_id": scope.sender_id, "user_id": scope.account_id}
        found.extend(
            Violation(name, reasons.REQUIRED, "is required: a check is for one sender id and one account")
            for name, value in missing.items()
            if value is None
        )
        if found:
            raise invalid(found)
        return await self._suppressions.covering(scope.phone, scope.sender_id or "", scope.account_id or "")


def suppression_not_found() -> ServiceError:
    """The error for an id that no entry has."""
    return ServiceError(
        Kind.NOT_FOUND,
        reasons.SUPPRESSION_NOT_FOUND,
        "there is no suppression with that id; list or check the recipient's entries to find it",
    )


def _faults(source: Source, reason: str, **who: str) -> list[Violation]:
    found = [
        Violation(field, reasons.INVALID_IDENTIFIER, problem)
        for field, value in who.items()
        if (problem := text_problem(value, MAX_IDENTIFIER))
    ]
    if problem := text_problem(reason, MAX_REASON):
        found.append(Violation("reason", reasons.INVALID_REASON, problem))
    if source in OF_THE_PHONE:
        problem = "is for what phones and carriers report; give SUPPRESSION_SOURCE_OPERATOR or SUPPRESSION_SOURCE_API"
        found.append(Violation("source", reasons.NOT_ALLOWED, problem))
    return found


def _scope_faults(
    phone_problem: PhoneNumberCheck, phone: str | None, sender_id: str | None, account_id: str | None
) -> list[Violation]:
    found: list[Violation] = []
    if phone is not None and (problem := phone_problem(phone)):
        found.append(Violation("phone_number", reasons.INVALID_PHONE_NUMBER, problem))
    if sender_id is not None and (problem := sender_id_problem(sender_id)):
        found.append(Violation("sender_id", reasons.INVALID_SENDER_ID, problem))
    if account_id is not None and (problem := text_problem(account_id, MAX_IDENTIFIER)):
        found.append(Violation("user_id", reasons.INVALID_IDENTIFIER, problem))
    return found
