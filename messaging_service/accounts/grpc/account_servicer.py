"""AccountService over gRPC."""

from __future__ import annotations

import structlog

from messaging_service.accounts.domain.account import Account
from messaging_service.sending.domain.validation import MAX_IDENTIFIER, text_problem
from messaging_service.sending.outbox import Outbox
from messaging_service.shared.grpc import wire
from service_kit.errors import Kind, ServiceError, Violation, invalid
from service_kit.grpc.context import Context
from tukupay.sms.messaging.v1 import messaging_pb2 as pb
from tukupay.sms.messaging.v1 import messaging_pb2_grpc

log = structlog.get_logger()


class AccountServicer(messaging_pb2_grpc.AccountServiceServicer):
    """Translates between the stubs and the outbox, which keeps the accounts."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def GetAccount(self, request: pb.GetAccountRequest, context: Context) -> pb.GetAccountResponse:  # noqa: N802
        """See the proto."""
        _check(request.user_id)
        account = _existing(request.user_id, await self._outbox.account(request.user_id))
        return pb.GetAccountResponse(account=wire.from_account(account))

    async def UpdateAccount(  # noqa: N802
        self, request: pb.UpdateAccountRequest, context: Context
    ) -> pb.UpdateAccountResponse:
        """See the proto."""
        _check(request.user_id)
        if not request.HasField("resend_unknown"):
            problem = "is absent, and so is everything else that could change; give what is to be set"
            raise invalid([Violation("resend_unknown", "REQUIRED", problem)])
        changed = await self._outbox.update_account(request.user_id, resend_unknown=request.resend_unknown)
        account = _existing(request.user_id, changed)
        log.info("account.updated", account=account.id, resend_unknown=account.resend_unknown)
        return pb.UpdateAccountResponse(account=wire.from_account(account))


def _check(user_id: str) -> None:
    if problem := text_problem(user_id, MAX_IDENTIFIER):
        raise invalid([Violation("user_id", "INVALID_IDENTIFIER", problem)])


def _existing(user_id: str, account: Account | None) -> Account:
    if account is None:
        raise ServiceError(
            Kind.NOT_FOUND,
            "ACCOUNT_NOT_FOUND",
            f"account {user_id} has neither been opened nor sent anything; check the id",
            metadata={"account": user_id},
        )
    return account
