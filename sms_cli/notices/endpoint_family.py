"""Webhooks and channels as one mechanism: the calls that both services have, and how answers are shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import typer
from grpc import aio
from rich.table import Table

from service_kit.grpc.timestamps import to_timestamp
from sms_cli.shared.command_error import CommandError
from sms_cli.shared.enum_words import enum_words
from sms_cli.shared.local_settings import client_settings
from sms_cli.shared.service_calls import ask_messaging, messaging_stub
from sms_cli.shared.terminal import cell, out, print_json, print_table
from sms_cli.shared.terminal_instants import exact, shown

_LOOK_EVERY_S: Final = 0.2


@dataclass(frozen=True)
class Sentences:
    """Sentences that differ between webhooks, which are posted, and channels, which notify people."""

    none: str
    """When there are no deliveries to show."""
    not_sent: str
    """When the test was not sent in time."""
    not_taken: str
    """When the test was refused."""


@dataclass(frozen=True)
class EndpointFamily:
    """Webhooks or channels, whose calls, messages and fields have the same names except for the noun in them."""

    noun: str
    commands: str
    """What stands before `list` or `log` on the command line."""
    messages: Any
    """The module of the family's messages."""
    stub: Callable[[aio.Channel], Any]
    test_event: int
    test_word: str
    target_column: str
    target_record: Callable[[Any], Mapping[str, object]]
    """The fields that tell where an endpoint leads, as JSON."""
    sentences: Sentences
    deadline_s: float
    test_patience_s: float
    """How long a person waits for the outcome of a test."""
    can_ask_for_test: bool = False
    """Whether an endpoint may ask for the event of tests."""

    def ask(self, call: str, **fields: object) -> Any:  # noqa: ANN401 - the answer to the call of that name
        """Makes a call of the service, such as `Create{}` with the noun for the braces.

        `fields` are those of its request; `id` is that of the endpoint.
        """
        name, request = self._request(call, fields)
        return ask_messaging(self.stub, lambda stub: getattr(stub, name)(request), deadline_s=self.deadline_s)

    def _request(self, call: str, fields: dict[str, object]) -> tuple[str, Any]:
        name = call.format(self.noun.capitalize())
        if "id" in fields:
            fields[f"{self.noun}_id"] = fields.pop("id")
        return name, getattr(self.messages, f"{name}Request")(**fields)

    @cached_property
    def events(self) -> Mapping[str, int]:
        """The events that an endpoint may ask for, by their words."""
        found = enum_words(getattr(self.messages, f"{self.noun.capitalize()}Event"))
        return {
            word.replace("_", ".", 1): number
            for word, number in found.items()
            if number != self.test_event or self.can_ask_for_test
        }

    @cached_property
    def states(self) -> Mapping[str, int]:
        """The states of deliveries, by their words."""
        return enum_words(getattr(self.messages, f"{self.noun.capitalize()}DeliveryState"))

    @cached_property
    def _event_words(self) -> Mapping[int, str]:
        return {number: word for word, number in self.events.items()} | {self.test_event: self.test_word}

    @cached_property
    def _state_words(self) -> Mapping[int, str]:
        return {number: word for word, number in self.states.items()}

    def wanted(self, words: Sequence[str]) -> list[int]:
        """The events of these words; raises BadParameter for an unknown word."""
        if unknown := [word for word in words if word not in self.events]:
            raise typer.BadParameter(f"{unknown[0]!r} is none of {', '.join(self.events)}", param_hint="--event")
        return [self.events[word] for word in words]

    def show_all(self, user: str, *, as_json: bool) -> None:
        """Prints the endpoints of an account."""
        page = self.ask("List{}s", user_id=user)
        found = list(getattr(page, f"{self.noun}s"))
        while page.next_page_token:
            page = self.ask("List{}s", user_id=user, page_token=page.next_page_token)
            found += getattr(page, f"{self.noun}s")
        if as_json:
            print_json([self._record(one) for one in found])
        elif found:
            self.show(found)
        else:
            out.print(f"{user} has no {self.noun}s.", markup=False)

    def show(self, found: Sequence[Any]) -> None:
        """Prints endpoints as a table."""
        table = Table(self.noun, "account", self.target_column, "events", "state")
        for one in found:
            record = self._record(one)
            events = "\n".join(self._event_words[event] for event in one.events)
            row = (record[f"{self.noun}Id"], one.user_id, record[self.target_column], events, _standing(one))
            table.add_row(*map(cell, row))
        print_table(table, wraps={self.target_column, "events"})

    def remove(self, endpoint: str) -> None:
        """Deletes an endpoint."""
        self.ask("Delete{}", id=endpoint)
        out.print(f"{endpoint} is deleted.", markup=False)

    def test(self, endpoint: str) -> None:
        """Sends a test and prints what became of it; raises CommandError when it was not taken, or not sent in time."""
        outcome = asyncio.run(self._tested(endpoint))
        self._show_deliveries([outcome])
        if outcome.last_error:
            raise CommandError(
                f"{self.sentences.not_taken} ({outcome.last_error})",
                f"see `tukupay-sms {self.commands} log` for later tries",
            )

    async def _tested(self, endpoint: str) -> Any:  # noqa: ANN401 - a delivery of the family
        async with messaging_stub(client_settings().messaging, self.stub, deadline_s=self.deadline_s) as stub:
            name, request = self._request("Test{}", {"id": endpoint})
            test = (await getattr(stub, name)(request)).delivery
            name, request = self._request("List{}Deliveries", {"id": endpoint, "event": self.test_event})
            try:
                async with asyncio.timeout(self.test_patience_s):
                    while not test.HasField("last_try_time"):
                        await asyncio.sleep(_LOOK_EVERY_S)
                        found = (await getattr(stub, name)(request)).deliveries
                        test = next((one for one in found if one.delivery_id == test.delivery_id), test)
            except TimeoutError:
                raise CommandError(
                    self.sentences.not_sent, f"others may be in front of it; see `tukupay-sms {self.commands} log`"
                ) from None
        return test

    def show_log(self, endpoint: str, state: str | None, limit: int, *, as_json: bool) -> None:
        """Prints the deliveries to an endpoint, newest first; those of one state unless it is None."""
        if state is not None and state not in self.states:
            raise typer.BadParameter(f"{state!r} is none of {', '.join(self.states)}", param_hint="--state")
        wanted = self.states[state] if state else 0
        found = list(self.ask("List{}Deliveries", id=endpoint, state=wanted, page_size=limit).deliveries)
        if as_json:
            print_json([self._delivery_record(delivery) for delivery in found])
        else:
            self._show_deliveries(found)

    def replay(
        self, endpoint: str, delivery: str | None, start: datetime | None, end: datetime | None, **fields: object
    ) -> int:
        """Delivers again, one delivery or those of a period, and gives how many they are."""
        answer = self.ask(
            "Replay{}Deliveries",
            id=endpoint,
            delivery_id=delivery,
            period_start=None if start is None else to_timestamp(start),
            period_end=None if end is None else to_timestamp(end),
            **fields,
        )
        return int(answer.replayed)

    def _show_deliveries(self, found: Sequence[Any]) -> None:
        if not found:
            out.print(self.sentences.none)
            return
        table = Table("delivery", "event", "state", "tries", "recorded", "last answer", "next try")
        for one in found:
            status = f"HTTP {one.last_status}" if one.HasField("last_status") else ""
            row = (
                one.delivery_id,
                self._event_words[one.event],
                self._state_words[one.state],
                one.tries,
                shown(one.created_time),
                f"{status} {one.last_error}".strip(),
                shown(one.next_try_time) if one.HasField("next_try_time") else None,
            )
            table.add_row(*map(cell, row))
        print_table(table, wraps={"last answer"})

    def _record(self, one: Any) -> dict[str, object]:  # noqa: ANN401 - an endpoint of the family
        return {
            f"{self.noun}Id": getattr(one, f"{self.noun}_id"),
            "userId": one.user_id,
            **self.target_record(one),
            "events": [self._event_words[event] for event in one.events],
            "description": one.description,
            "enabled": one.enabled,
            "createdAt": exact(one.created_time),
            "disabledReason": one.disabled_reason or None,
            "failingSince": exact(one.failing_since_time) if one.HasField("failing_since_time") else None,
        }

    def _delivery_record(self, one: Any) -> dict[str, object]:  # noqa: ANN401 - a delivery of the family
        return {
            "deliveryId": one.delivery_id,
            "eventId": one.event_id,
            "event": self._event_words[one.event],
            "state": self._state_words[one.state],
            "tries": one.tries,
            "createdAt": exact(one.created_time),
            "lastStatus": one.last_status if one.HasField("last_status") else None,
            "lastError": one.last_error or None,
            "replays": one.replays,
        }


def _standing(one: Any) -> str:  # noqa: ANN401 - a webhook or a channel
    if not one.enabled:
        return f"disabled ({one.disabled_reason})" if one.disabled_reason else "disabled"
    return f"failing since {shown(one.failing_since_time)}" if one.HasField("failing_since_time") else "enabled"
