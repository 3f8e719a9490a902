"""Accounts from and to domain objects."""

from __future__ import annotations

from collections.abc import Mapping

from messaging_service.accounts.domain.account import Account, AccountMode, AccountStatus
from messaging_service.shared.domain.money import to_micros
from messaging_service.shared.grpc.wire import from_instant
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

MODES: Mapping[AccountMode, pb.AccountMode.ValueType] = {
    AccountMode.POSTPAID: pb.ACCOUNT_MODE_POSTPAID,
    AccountMode.PREPAID: pb.ACCOUNT_MODE_PREPAID,
}
ACCOUNT_STATUSES: Mapping[AccountStatus, pb.AccountStatus.ValueType] = {
    AccountStatus.ACTIVE: pb.ACCOUNT_STATUS_ACTIVE,
    AccountStatus.SUSPENDED: pb.ACCOUNT_STATUS_SUSPENDED,
    AccountStatus.CLOSED: pb.ACCOUNT_STATUS_CLOSED,
}


def from_account(account: Account) -> pb.Account:
    """The public form of an account."""
    return pb.Account(
        user_id=account.id,
        mode=MODES[account.mode],
        status=ACCOUNT_STATUSES[account.status],
        posted_micros=to_micros(account.posted),
        held_micros=to_micros(account.held),
        credit_limit_micros=to_micros(account.credit_limit),
        created_time=from_instant(account.created_at),
        resend_unknown=account.resend_unknown,
    )
