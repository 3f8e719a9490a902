"""The documented operations that webhooks and channels have in common: two nouns, one mechanism."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from gateway_http.openapi.operation import READ_FAILURES, WRITE_FAILURES, Answer, BodyOperation, Many, Operation, Tag
from gateway_http.openapi.parameters import USER_ID, page_parameters, path_parameter, query_parameter
from gateway_http.openapi.problem_examples import Json
from gateway_http.openapi.route_access import RouteAccess, calls
from gateway_http.shared.endpoint_models import EndpointDelivery, EndpointReplay, Replayed

B = TypeVar("B", bound=msgspec.Struct)
R = TypeVar("R", bound=EndpointReplay)


_DELIVERY: Json = {
    "deliveryId": "delivery_0192e4a07c2b7d3e9a51c6f0b8d4e2a2",
    "state": "pending",
    "tries": 1,
    "createdAt": "2024-12-15T08:00:00Z",
    "nextTryAt": "2024-12-15T08:00:05.250000Z",
    "lastTryAt": "2024-12-15T08:00:00.250000Z",
    "lastStatus": 503,
    "lastError": "ANSWERED_WITH_ERROR",
    "replays": 0,
}
_NOT_TRIED: Json = {
    "tries": 0,
    "nextTryAt": "2024-12-15T08:00:00Z",
    "lastTryAt": None,
    "lastStatus": None,
    "lastError": None,
}


def example_id(noun: str) -> str:
    """The identifier of an endpoint in examples."""
    return f"{noun}_0192e4a07c2b7d3e9a51c6f0b8d4e2a1"


@dataclass(frozen=True, slots=True)
class EndpointOperations:
    """Makes the operations of one kind of endpoint: what a noun adds to each is given, all else is the same."""

    noun: str
    """`webhook` or `channel`: the word in sentences and identifiers."""
    path: str
    """Of all endpoints of the kind."""
    tag: Tag
    shape: type[msgspec.Struct]
    example: Json
    """An endpoint as it is shown."""
    delivery_shape: type[EndpointDelivery]

    def operation_id(self, verb: str, what: str = "") -> str:
        """Such as `listWebhookDeliveries`."""
        return f"{verb}{self.noun.capitalize()}{what}"

    def calls(self, verb: str, what: str = "") -> RouteAccess:
        """The rule of a route that calls a method such as `WebhookService/ListWebhookDeliveries`."""
        kind = self.noun.capitalize()
        return calls(f"{kind}Service/{verb}{kind}{what}")

    def one(self, action: str = "") -> str:
        """The path of one endpoint, or of an action on it."""
        return f"{self.path}/{{{self.noun}Id}}{action}"

    def which(self) -> Json:
        """The parameter in that path."""
        return path_parameter(f"{self.noun}Id", f"The {self.noun}'s identifier.", example_id(self.noun))

    def problems(self, others: Mapping[int, Sequence[str]], *more: str) -> dict[int, Sequence[str]]:
        """`others`, and that there is no such endpoint; `more` are reasons of the same status."""
        return {404: [f"{self.noun.upper()}_NOT_FOUND", *more], **others}

    def create(
        self, description: str, answer: Answer, body: type[B], examples: Json, failures: Mapping[int, Sequence[str]]
    ) -> BodyOperation[B]:
        """The operation that makes an endpoint."""
        return BodyOperation(
            "post",
            self.path,
            self.operation_id("create"),
            self.tag,
            f"Make a {self.noun}",
            description,
            access=self.calls("Create"),
            answers={201: answer},
            problems={409: [f"TOO_MANY_{self.noun.upper()}S"], **failures},
            body=body,
            body_examples=examples,
        )

    def list_all(self, description: str) -> Operation:
        """The operation that lists the endpoints of an account."""
        answer = Answer(f"The {self.noun}s, oldest first.", Many(self.shape), {f"{self.noun}s": [self.example]})
        return Operation(
            "get",
            self.path,
            self.operation_id("list", "s"),
            self.tag,
            f"List the {self.noun}s of an account",
            description,
            access=self.calls("List", "s"),
            answers={200: answer},
            problems=READ_FAILURES,
            parameters=(USER_ID,),
        )

    def get(self) -> Operation:
        """The operation that shows one endpoint."""
        return Operation(
            "get",
            self.one(),
            self.operation_id("get"),
            self.tag,
            f"Show a {self.noun}",
            "Its settings, and since when it has been failing.",
            access=self.calls("Get"),
            answers={200: Answer(f"The {self.noun}.", self.shape, {self.noun: self.example})},
            problems=self.problems(READ_FAILURES),
            parameters=(self.which(),),
        )

    def update(self, body: type[B], events: Sequence[str], failures: Mapping[int, Sequence[str]]) -> BodyOperation[B]:
        """The operation that changes one endpoint; `events` are those of the example."""
        return BodyOperation(
            "patch",
            self.one(),
            self.operation_id("update"),
            self.tag,
            f"Change a {self.noun}",
            "Changes the fields that are given. Waiting deliveries go out at once, with the new settings. While it is "
            "disabled, nothing is recorded for it.",
            access=self.calls("Update"),
            answers={200: Answer(f"The {self.noun} as changed.", self.shape, {self.noun: self.example})},
            problems=self.problems(failures),
            parameters=(self.which(),),
            body=body,
            body_examples={"events": {"events": events}, "enable": {"enabled": True}},
        )

    def delete(self, description: str) -> Operation:
        """The operation that deletes one endpoint."""
        return Operation(
            "delete",
            self.one(),
            self.operation_id("delete"),
            self.tag,
            f"Delete a {self.noun}",
            description,
            access=self.calls("Delete"),
            answers={204: Answer("It is deleted.", None, {})},
            problems=self.problems(WRITE_FAILURES),
            parameters=(self.which(),),
        )

    def test(self, description: str, event_id: str) -> Operation:
        """The operation that sends a test to one endpoint."""
        example = {**_DELIVERY, "eventId": event_id, "event": f"{self.noun}.test", **_NOT_TRIED}
        return Operation(
            "post",
            self.one("/test"),
            self.operation_id("test"),
            self.tag,
            f"Test a {self.noun}",
            description,
            access=self.calls("Test"),
            answers={202: Answer("The test, not tried yet.", self.delivery_shape, {"test": example})},
            problems={**self.problems(WRITE_FAILURES), 409: [f"{self.noun.upper()}_DISABLED"]},
            parameters=(self.which(),),
        )

    def list_deliveries(
        self, summary: str, description: str, example: Json, states: Iterable[str], events: Iterable[str]
    ) -> Operation:
        """The operation that lists the deliveries to one endpoint; `example` is what the noun adds to one of them."""
        answer = Answer(
            "The deliveries, newest first.",
            Many(self.delivery_shape),
            {"deliveries": [{**_DELIVERY, **example}]},
            headers=("Link",),
        )
        return Operation(
            "get",
            self.one("/deliveries"),
            self.operation_id("list", "Deliveries"),
            self.tag,
            summary,
            f"{description}, newest first. Follow the `Link` header for the next page.",
            access=self.calls("List", "Deliveries"),
            answers={200: answer},
            problems=self.problems(READ_FAILURES),
            parameters=(
                self.which(),
                query_parameter("state", "Only those in this state.", {"enum": list(states)}),
                query_parameter("event", "Only of this event.", {"enum": list(events)}),
                *page_parameters("Deliveries", 500),
            ),
        )

    def replay(self, summary: str, description: str, answered: str, body: type[R]) -> BodyOperation[R]:
        """The operation that sends events to one endpoint again."""
        examples: Mapping[str, Any] = {
            "one": {"deliveryId": _DELIVERY["deliveryId"]},
            "period": {"from": "2024-12-15T00:00:00Z", "to": "2024-12-16T00:00:00Z"},
        }
        return BodyOperation(
            "post",
            self.one("/replay"),
            self.operation_id("replay"),
            self.tag,
            summary,
            description,
            access=self.calls("Replay", "Deliveries"),
            answers={202: Answer(answered, Replayed, {"replayed": {"replayed": 3}})},
            problems=self.problems(WRITE_FAILURES, f"{self.noun.upper()}_DELIVERY_NOT_FOUND"),
            parameters=(self.which(),),
            body=body,
            body_examples=examples,
        )
