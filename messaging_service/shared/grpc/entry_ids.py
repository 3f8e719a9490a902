"""Public ids of outbox entries in requests."""

from __future__ import annotations

from uuid import UUID

from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, text_problem
from messaging_service.shared.domain.message import ID_PREFIX, no_such_entry, parse_outbox_id
from service_kit.errors import ServiceError, Violation, invalid


def existing(entry_id: str) -> UUID:
    """The id behind its public spelling; what cannot be an id does not exist."""
    if not entry_id:
        raise invalid([Violation("outbox_id", reasons.REQUIRED, "is empty; give the outbox id of an entry")])
    message_id = parse_outbox_id(entry_id)
    if message_id is None:
        raise no_entry(entry_id)
    return message_id


def no_entry(entry_id: str) -> ServiceError:
    """The error for an id that no entry has; repeats it only when it looks like one: others may be a phone's number."""
    looks_like_one = entry_id.startswith(ID_PREFIX) and text_problem(entry_id, MAX_IDENTIFIER) is None
    shown = entry_id if looks_like_one else "with that id"
    return no_such_entry(shown)
