"""How accounts pay and stand, in the words of the terminal."""

from __future__ import annotations

from enum import StrEnum

from tukupay.sms.messaging.v1 import messaging_pb2


class Mode(StrEnum):
    """How an account pays."""

    postpaid = "postpaid"
    prepaid = "prepaid"


class Standing(StrEnum):
    """Whether an account may send."""

    active = "active"
    suspended = "suspended"
    closed = "closed"


MODES = {
    Mode.postpaid: messaging_pb2.ACCOUNT_MODE_POSTPAID,
    Mode.prepaid: messaging_pb2.ACCOUNT_MODE_PREPAID,
}
STANDINGS = {
    Standing.active: messaging_pb2.ACCOUNT_STATUS_ACTIVE,
    Standing.suspended: messaging_pb2.ACCOUNT_STATUS_SUSPENDED,
    Standing.closed: messaging_pb2.ACCOUNT_STATUS_CLOSED,
}
