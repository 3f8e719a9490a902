"""AccountService over gRPC."""

from __future__ import annotations

import structlog

from messaging_service.accounts.grpc.account_messages import from_account
from messaging_service.accounts.manage_account import ManageAccount
from messaging_service.shared.domain.fields import MAX_IDENTIFIER, text_problem
from service_kit.errors import Violation, invalid
from service_kit.grpc.context import Context
from tukupay.sms.messaging.v1 import messaging_pb2 as pb
from tukupay.sms.messaging.v1 import messaging_pb2_grpc

log = structlog.get_logger()


class AccountServicer(messaging_pb2_grpc.AccountServiceServicer):
    """Translates between the stubs and the accounts."""

    def __init__(self, accounts: ManageAccount) -> None:
        self._accounts = accounts

    async def GetAccount(self, request: pb.GetAccountRequest, context: Context) -> pb.GetAccountResponse:  # noqa: N802
        """See the proto."""
        _check(request.user_id)
        account = await self._accounts.account(request.user_id)
        return pb.GetAccountResponse(account=from_account(account))

    async def UpdateAccount(  # noqa: N802
        self, request: pb.UpdateAccountRequest, context: Context
    ) -> pb.UpdateAccountResponse:
        """See the proto."""
        _check(request.user_id)
        if not request.HasField("resend_unknown"):
            problem = "is absent, and so is everything else that could change; give what is to be set"
            raise invalid([Violation("resend_unknown", "REQUIRED", problem)])
        account = await self._accounts.update(request.user_id, resend_unknown=request.resend_unknown)
        log.info("account.updated", account=account.id, resend_unknown=account.resend_unknown)
        return pb.UpdateAccountResponse(account=from_account(account))


def _check(user_id: str) -> None:
    if problem := text_problem(user_id, MAX_IDENTIFIER):
        raise invalid([Violation("user_id", "INVALID_IDENTIFIER", problem)])
