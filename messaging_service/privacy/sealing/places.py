"""Where sealed values stand, as it is authenticated with them: a value that is moved elsewhere cannot be read."""

from __future__ import annotations

from uuid import UUID


def content_place(message_id: UUID) -> bytes:
    """Where the content of a message stands."""
    return b"message.content:" + message_id.bytes


def event_place(message_id: UUID) -> bytes:
    """Where the words of a carrier about a message stand."""
    return b"message_event.raw:" + message_id.bytes


def receipt_place(carrier: str, carrier_message_id: str) -> bytes:
    """Where the words of a receipt stand."""
    return f"receipt.raw:{carrier}:{carrier_message_id}".encode()


def secret_place(endpoint_id: UUID) -> bytes:
    """Where the secrets of an endpoint stand; the present one becomes the previous one as it is."""
    return b"webhook_endpoint.secret:" + endpoint_id.bytes


def body_place(delivery_id: UUID) -> bytes:
    """Where the body of a delivery stands."""
    return b"webhook_delivery.body:" + delivery_id.bytes
