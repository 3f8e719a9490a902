"""What may still be done with an entry: resend it, cancel it, send it again by itself."""

from __future__ import annotations

from messaging_service.accounts.domain.account import AccountStatus
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.message import Message, is_shown, no_such_entry, outbox_id
from messaging_service.shared.domain.states import IN_PROGRESS, RESENDABLE, State
from service_kit.access.principal import AccessMode
from service_kit.errors import Kind, ServiceError


def check_mode(message: Message, caller: AccessMode) -> None:
    """Raises ServiceError OUTBOX_ENTRY_NOT_FOUND when a test caller asks for a live entry.

    For it there is none: what it does reaches no phone and moves no money, and it reads no real text. A live caller may
    see and change test entries, which stay tests.
    """
    if not is_shown(message.mode, caller):
        raise no_such_entry(outbox_id(message.id))


def check_resend(message: Message, *, is_outdated: bool, max_retries: int) -> None:
    """Raises ServiceError CANCELLED, NOT_FAILED, VALIDITY_OVER, TEXT_ERASED or RETRY_LIMIT_REACHED unless it may be.

    `is_outdated`: whether its validity is over, on the clock of its store.
    """
    identity = {"outbox_id": outbox_id(message.id), "state": message.state.value}
    if message.state is State.CANCELLED:
        raise ServiceError(
            Kind.FAILED_PRECONDITION,
            reasons.CANCELLED,
            "the entry was cancelled and stays so; send the message anew with another message id",
            metadata=identity,
        )
    if message.state not in RESENDABLE:
        raise ServiceError(
            Kind.FAILED_PRECONDITION,
            reasons.NOT_FAILED,
            f"only a failed entry can be resent, and this one is {message.status.value} ({message.state.value})",
            metadata=identity,
        )
    if is_outdated:
        raise ServiceError(
            Kind.FAILED_PRECONDITION,
            reasons.VALIDITY_OVER,
            "the entry was to be delivered by a time that has passed, so it would arrive too late; send "
            "a new message instead",
            metadata=identity,
        )
    if message.is_text_erased:
        raise ServiceError(
            Kind.FAILED_PRECONDITION,
            reasons.TEXT_ERASED,
            "the text of the entry was erased, so there is nothing to send; send a new message instead",
            metadata=identity,
        )
    if message.retry_count >= max_retries:
        raise ServiceError(
            Kind.FAILED_PRECONDITION,
            reasons.RETRY_LIMIT_REACHED,
            f"the entry was resent {message.retry_count} times, and at most {max_retries} resends are allowed; "
            "check why it fails before sending the message anew",
            metadata={**identity, "retry_count": str(message.retry_count), "max_retries": str(max_retries)},
        )


def check_cancel(message: Message, *, is_queued: bool) -> None:
    """Raises ServiceError NOT_CANCELLABLE unless nobody has begun to submit it.

    `is_queued`: whether it waits in the queue and no process has claimed it.
    """
    if not is_queued or message.state not in IN_PROGRESS:
        raise ServiceError(
            Kind.FAILED_PRECONDITION,
            reasons.NOT_CANCELLABLE,
            f"the entry is {message.state.value}: it was handed to the carrier or has ended, and cannot be cancelled",
            metadata={"outbox_id": outbox_id(message.id), "state": message.state.value},
        )


def is_resent_by_itself(
    *,
    status: AccountStatus,
    resend_unknown: bool,
    retry_count: int,
    max_retries: int,
    is_outdated: bool,
    is_opted_out: bool,
) -> bool:
    """Whether a message whose outcome stayed unknown is sent again without anybody asking.

    What was wanted when the outcome became unknown counts for nothing: the account may have changed its mind or be
    stopped, the message may be over, and the phone may have opted out of whatever it was, because a second copy needs
    no fine print. `status` and `resend_unknown` are the account's, `retry_count` the resends so far.
    """
    return (
        resend_unknown
        and status is AccountStatus.ACTIVE
        and retry_count < max_retries
        and not is_outdated
        and not is_opted_out
    )
