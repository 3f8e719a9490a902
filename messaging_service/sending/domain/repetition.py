"""What distinguishes a repetition of a request from another request under the same message id."""

from __future__ import annotations

import json
from decimal import Decimal

from messaging_service.sending.domain.send_request import SendRequest
from messaging_service.shared.domain import reasons
from messaging_service.shared.domain.message import Message, outbox_id
from service_kit.errors import Kind, ServiceError, Violation

_FIELDS = (
    # In the proto's spelling, with the words of a sentence and the attribute.
    ("recipient_phone_number", "recipient", "recipient"),
    ("message", "text", "text"),
    ("sender_id", "sender id", "sender_id"),
    ("message_name", "name", "message_name"),
    ("scheduled_time", "schedule", "scheduled_at"),
    ("expires_time", "expiry", "expires_at"),
    ("priority", "priority", "priority"),
    ("tags", "tags", "tags"),
    ("app_id", "app", "app_id"),
    # Of the credential, not of the request.
    ("mode", "mode (live or test)", "mode"),
)
_CUSTOM_DATA = ("custom_data_json", "custom data")


def other_request(
    key: str, request: SendRequest, fingerprint: bytes, recorded: Message | SendRequest, recorded_fingerprint: bytes
) -> ServiceError | None:
    """The refusal of a request whose message id stands for another one; None for a repetition of it.

    Only the fingerprints decide, each of its request. `recorded` is the entry that is stored, or the request before it
    in the same batch that was not stored. The violations name each field that differs and neither value.
    """
    if fingerprint == recorded_fingerprint:
        return None
    fields = _differing(request, recorded)
    words = _joined([words for _, words in fields])
    metadata = {"message_id": key, "fields": ",".join(name for name, _ in fields)}
    if isinstance(recorded, Message):
        entry = outbox_id(recorded.id)
        metadata["outbox_id"] = entry
        stands_for = f"the stored entry {entry}, which has another {words}"
    else:
        stands_for = f"an earlier request with another {words}"
    return ServiceError(
        Kind.ALREADY_EXISTS,
        reasons.MESSAGE_ID_REUSED,
        f"this message id stands for {stands_for}; nothing was stored or charged for this request. Repeat the earlier "
        "request unchanged, or give a new message id",
        violations=tuple(
            Violation(name, reasons.DIFFERS, "differs from the request that the message id stands for")
            for name, _ in fields
        ),
        metadata=metadata,
    )


def _differing(request: SendRequest, recorded: Message | SendRequest) -> list[tuple[str, str]]:
    found = [
        (name, words)
        for name, words, attribute in _FIELDS
        if getattr(request, attribute) != getattr(recorded, attribute)
    ]
    # The database keeps numbers in a spelling of its own, such as 100 for 1e2: requests that differ in that alone
    # leave no difference to be seen, and only custom data can be it.
    if not found or _decoded(request.custom_data_json) != _decoded(recorded.custom_data_json):
        found.append(_CUSTOM_DATA)
    return found


def _decoded(custom_data_json: str | None) -> object:
    return None if custom_data_json is None else json.loads(custom_data_json, parse_int=Decimal, parse_float=Decimal)


def _joined(words: list[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
