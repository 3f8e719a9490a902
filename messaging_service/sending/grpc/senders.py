"""Who sends each item of a batch: whoever calls, or one of those that the caller vouches for."""

from __future__ import annotations

from collections.abc import Sequence

from service_kit import reasons
from service_kit.access.asserted import vouched
from service_kit.access.principal import Principal
from service_kit.access.principal_messages import to_principal
from service_kit.access.refusals import require_account, require_scope
from service_kit.access.scopes import ASSERT_PRINCIPAL
from service_kit.errors import Violation, invalid
from tukupay.sms.common.v1 import access_pb2
from tukupay.sms.messaging.v1 import messaging_pb2 as pb

SEND = "sms:send"


class Senders:
    """The principals of one batch. What is wrong with one item is raised for that item alone."""

    def __init__(self, caller: Principal, asserted: Sequence[access_pb2.Principal]) -> None:
        """`asserted`: those that the batch names.

        Raises ServiceError: PERMISSION_DENIED when the caller may not name any, INVALID for one that is none.
        """
        self._caller = caller
        self._asserted: Sequence[Principal] = ()
        if asserted:
            require_scope(caller, ASSERT_PRINCIPAL)
            self._asserted = [_read(caller, index, message) for index, message in enumerate(asserted)]

    def of(self, item: pb.SendSmsRequest) -> Principal:
        """Who sends an item. Raises ServiceError when they may not send for its account, or are none."""
        sender = self._caller
        if item.HasField("principal_index"):
            if item.principal_index >= len(self._asserted):
                problem = f"is {item.principal_index}; `principals` has {len(self._asserted)} callers"
                raise invalid([Violation("principal_index", reasons.OUT_OF_RANGE, problem)])
            sender = self._asserted[item.principal_index]
        require_scope(sender, SEND)
        require_account(sender, item.user_id)
        return sender


def _read(caller: Principal, index: int, message: access_pb2.Principal) -> Principal:
    try:
        return vouched(caller, to_principal(message))
    except ValueError as error:
        raise invalid([Violation(f"principals[{index}]", reasons.MALFORMED, str(error))]) from None
