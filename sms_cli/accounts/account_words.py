"""The modes and states of accounts in the words of the terminal."""

from __future__ import annotations

from enum import StrEnum

from tukupay.sms.messaging.v1 import accounts_pb2


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
    Mode.postpaid: accounts_pb2.ACCOUNT_MODE_POSTPAID,
    Mode.prepaid: accounts_pb2.ACCOUNT_MODE_PREPAID,
}
STANDINGS = {
    Standing.active: accounts_pb2.ACCOUNT_STATUS_ACTIVE,
    Standing.suspended: accounts_pb2.ACCOUNT_STATUS_SUSPENDED,
    Standing.closed: accounts_pb2.ACCOUNT_STATUS_CLOSED,
}
