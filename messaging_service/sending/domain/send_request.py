"""A request to send that passed validation."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from messaging_service.shared.domain.states import Priority
from messaging_service.texts.segmentation import Segmentation
from service_kit.access.principal import AccessMode

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class SendRequest:
    """A request that passed validation."""

    account_id: str
    """Who pays; also the customer for pricing."""
    recipient: str
    """E.164 with its `+`."""
    text: str
    sender_id: str
    segmentation: Segmentation
    message_name: str | None
    client_message_id: str | None
    """The idempotency key; None when the client gave none."""
    scheduled_at: datetime | None
    """None for at once."""
    is_future: bool
    """Whether `scheduled_at` lay ahead when the request was checked."""
    expires_at: datetime | None
    """From then on it is not submitted any more; None when its time has no end of its own."""
    priority: Priority
    tags: tuple[str, ...]
    custom_data_json: str | None
    """A JSON object as the client spelled it."""
    app_id: str | None
    mode: AccessMode = AccessMode.LIVE
    """Of the caller's credential."""

    def fingerprint(self) -> bytes:
        """Equal for requests that ask for the same thing; distinguishes a repetition from a reused key."""
        custom_data = None if self.custom_data_json is None else json.loads(self.custom_data_json)
        scheduled = None if self.scheduled_at is None else self.scheduled_at.isoformat()
        parts: list[object] = [
            self.recipient,
            self.text,
            self.sender_id,
            self.message_name,
            scheduled,
            self.priority.value,
            self.tags,
            custom_data,
            self.app_id,
        ]
        # Only where they say something, so that other requests keep the fingerprints that are on record.
        if self.expires_at is not None:
            parts.append({"expires_at": self.expires_at.isoformat()})
        if self.mode is not AccessMode.LIVE:
            parts.append({"mode": self.mode.value})
        return hashlib.sha256(_CANONICAL.encode(parts).encode()).digest()
