"""A client of the gateway that looks at every problem it is told of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx

from tests.system.privacy import OTP, leaks

SEND = "/api/sms/send"
SEND_BATCH = "/api/sms/send-batch"
RESEND = "/api/sms/outbox/resend"
OUTBOX = "/api/sms/outbox"
COSTS = "/api/sms-costs"

JSON = {"Content-Type": "application/json"}
TEXT = f"Your OTP is {OTP}. It is valid for 5 minutes."

_PROBLEM_FIELDS = ["type", "title", "status", "detail", "reason", "errors", "requestId"]
_MORE_FIELDS = {"MESSAGE_ID_REUSED": ["outboxId"]}
_numbers = count(1)


def new_phone() -> str:
    """A number that no test wrote to before."""
    return f"+2547122{next(_numbers):05}"


def sms(user: str, **changes: Any) -> dict[str, Any]:
    """A request to send that is fine but for the changes; a change to None leaves the field out."""
    request = {
        "userId": user,
        "recipientPhoneNumber": new_phone(),
        "message": TEXT,
        "senderId": "TUKUPAY",
        **changes,
    }
    return {name: value for name, value in request.items() if value is not None}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: httpx.Headers
    text: str

    @property
    def body(self) -> Any:
        """The JSON."""
        return json.loads(self.text)

    @property
    def entry(self) -> dict[str, Any]:
        """The outbox entry of an answer to a send, a resend or a cancellation."""
        body = self.body
        entry: dict[str, Any] = body["outboxEntry"] if "outboxEntry" in body else body["updatedOutboxEntry"]
        return entry

    @property
    def reason(self) -> str:
        """The reason of a problem document."""
        reason: str = self.problem["reason"]
        return reason

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document, which must be a good one."""
        assert self.headers["content-type"] == "application/problem+json", self.text
        document: dict[str, Any] = self.body
        assert list(document) == [*_PROBLEM_FIELDS, *_MORE_FIELDS.get(document["reason"], [])], self.text
        assert document["status"] == self.status
        assert document["type"] == f"urn:tukupay:problem:{document['reason']}"
        assert document["requestId"] == self.headers["x-request-id"]
        assert document["detail"]
        return document

    @property
    def faults(self) -> list[tuple[str, str]]:
        """Field and reason of every entry in `errors`."""
        return [(error["field"], error["reason"]) for error in self.problem["errors"]]


def answer_of(response: httpx.Response) -> Answer:
    """The answer, once it is sure that a failure tells nothing private."""
    if response.status_code >= 400:
        assert not leaks(response.text)
    return Answer(response.status_code, response.headers, response.text)


class Rest:
    """Talks to one gateway."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._http = httpx.Client(base_url=base_url, trust_env=False, timeout=60)

    def close(self) -> None:
        """Ends the connections."""
        self._http.close()

    def is_alive(self) -> bool:
        """Whether the gateway answers."""
        return self._succeeds("/healthz")

    def is_ready(self) -> bool:
        """Whether the gateway and what it needs are ready."""
        return self._succeeds("/readyz")

    def _succeeds(self, path: str) -> bool:
        try:
            return self._http.get(path).is_success
        except httpx.TransportError:
            return False

    def get(self, path: str, **parameters: str) -> Answer:
        """GET."""
        return answer_of(self._http.get(path, params=parameters or None))

    def post(self, path: str, body: Any) -> Answer:
        """POST of JSON."""
        return answer_of(self._http.post(path, json=body))

    def request(self, method: str, path: str, content: bytes, headers: dict[str, str]) -> Answer:
        """Any request."""
        return answer_of(self._http.request(method, path, content=content, headers=headers))

    def send(self, user: str, **changes: Any) -> Answer:
        """Sends an SMS that is fine but for the changes."""
        return self.post(SEND, sms(user, **changes))

    def entry(self, outbox_id: str) -> dict[str, Any]:
        """An entry as it stands."""
        answer = self.get(f"{OUTBOX}/{outbox_id}")
        assert answer.status == 200, answer.text
        entry: dict[str, Any] = answer.body
        return entry

    def resend(self, outbox_id: str) -> Answer:
        """Resends an entry."""
        return self.post(RESEND, {"outboxId": outbox_id})

    def set_cost(self, level: str, price: float, **fields: str | bool) -> None:
        """Records a price that has long been in effect."""
        cost: dict[str, object] = {
            "level": level,
            "pricePerSms": price,
            "effectiveFrom": "2024-01-01T00:00:00Z",
            "reason": "agreed",
            "createdBy": "tests",
            **fields,
        }
        answer = self.post(COSTS, cost)
        assert answer.status == 201, answer.text
