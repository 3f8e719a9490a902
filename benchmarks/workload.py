"""The messages: all different, to valid Kenyan numbers, in the shape of the documented request.

Every part has a fixed width, so that a driver fills in a ready-made request.
"""

from __future__ import annotations

from collections.abc import Sequence

from tukupay.sms.messaging.v1 import messaging_pb2 as pb

_SUBSCRIBERS = 80_000_000
_STEP = 7_919
"""Prime to the number of subscribers, so that all are reached before one comes again."""
_FIRST_SUBSCRIBER = 710_000_000
"""Above the numbers with which the sandbox carrier plays tricks."""

_BODY = (
    '{"userId": "bench-%06d", "recipientPhoneNumber": "+254%09d", '
    '"message": "Your OTP is %06d. Please use this code to verify your account.", '
    '"senderId": "TUKUPAY", "messageName": "OTP Verification", "messageId": "%s-%08d", '
    '"priority": "normal", "tags": ["notification", "OTP"], '
    '"customData": {"purpose": "Account Verification", "linkedTransactionId": "txn%08d"}}'
)
_CUSTOM_DATA = '{"purpose": "Account Verification", "linkedTransactionId": "txn%08d"}'


def subscriber(number: int) -> int:
    """The national number of the recipient of a message."""
    return _FIRST_SUBSCRIBER + number * _STEP % _SUBSCRIBERS


class HttpRequests:
    """Requests to `POST /api/sms/send`."""

    def __init__(self, host: str, run: str, first_number: int, accounts: int, keys: Sequence[str] = ()) -> None:
        """`keys`: API keys that are shown, by the number of the account; none when empty."""
        self._run = run
        self._number = first_number
        self._accounts = accounts
        length = len(self._body(0))
        credentials = [f"Authorization: Bearer {key}\r\n" for key in keys] or [""]
        self._heads = [
            f"POST /api/sms/send HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{credential}"
            f"Content-Length: {length}\r\n\r\n"
            for credential in credentials
        ]

    def next(self) -> bytes:
        """The next request, as it goes onto the wire."""
        number = self._number
        self._number += 1
        head = self._heads[number % self._accounts % len(self._heads)]
        return (head + self._body(number)).encode("ascii")

    def _body(self, number: int) -> str:
        return _BODY % (
            number % self._accounts,
            subscriber(number),
            number % 1_000_000,
            self._run,
            number % 100_000_000,
            number % 100_000_000,
        )


def account_names(accounts: int) -> list[str]:
    """The accounts that send, by their numbers."""
    return [f"bench-{number:06}" for number in range(accounts)]


def grpc_item(run: str, number: int, accounts: int) -> pb.SendSmsRequest:
    """The same message as an item of a batch."""
    return pb.SendSmsRequest(
        user_id=f"bench-{number % accounts:06}",
        recipient_phone_number=f"+254{subscriber(number)}",
        message=f"Your OTP is {number % 1_000_000:06}. Please use this code to verify your account.",
        sender_id="TUKUPAY",
        message_name="OTP Verification",
        message_id=f"{run}-{number % 100_000_000:08}",
        priority=pb.PRIORITY_NORMAL,
        tags=["notification", "OTP"],
        custom_data_json=_CUSTOM_DATA % (number % 100_000_000),
    )
