"""The documented operations of channels."""

from __future__ import annotations

from gateway_http.channels.channel_models import (
    EVENTS,
    STATES,
    Channel,
    ChannelChange,
    ChannelDelivery,
    ChannelReplay,
    NewChannel,
)
from gateway_http.openapi.operation import WRITE_FAILURES, Answer, Tag
from gateway_http.openapi.problem_examples import Json
from gateway_http.shared.endpoint_operations import EndpointOperations, example_id

_TARGET_FAILURES = {**WRITE_FAILURES, 503: [*WRITE_FAILURES[503], "CHANNELS_BUSY"]}
"""Of what looks at a target."""
_EVENTS = ["balance.low", "sms.failed"]
_CHANNEL: Json = {
    "channelId": example_id("channel"),
    "userId": "user123",
    "kind": "service",
    "target": "slack://T...2/A...D/T...Q/%23duty/",
    "events": ["balance.low", "sms.failing", "outcomes.unknown", "carrier.down", "carrier.balance_low", "sms.pumping"],
    "description": "people on duty",
    "enabled": True,
    "createdAt": "2024-12-15T08:00:00Z",
    "disabledReason": None,
    "failingSince": None,
}
_MAILBOX: Json = {**_CHANNEL, "kind": "email", "target": "duty@example.com"}
_EVENT_ID = "evt_0192e4a07c2b7d3e9a51c6f0b8d4e2a3"

_CHANNELS = EndpointOperations(
    noun="channel",
    path="/api/sms/alerts/channels",
    tag=Tag("Channels", "Where people are notified of alerts and failures."),
    shape=Channel,
    example=_CHANNEL,
    delivery_shape=ChannelDelivery,
)

CREATE_CHANNEL = _CHANNELS.create(
    "From now on people are notified there, in plain words, of what the channel asks for: every alert unless "
    "`events` says otherwise. The secrets in a `url` are not shown again.",
    Answer("The channel.", Channel, {"room": _CHANNEL, "mailbox": _MAILBOX}),
    NewChannel,
    {
        "room": {
            "userId": "user123",
            "url": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#duty",
            "description": "people on duty",
        },
        "mailbox": {"userId": "user123", "email": "duty@example.com", "events": _EVENTS},
    },
    _TARGET_FAILURES,
)
LIST_CHANNELS = _CHANNELS.list_all(
    "All of them, oldest first; an account has at most 20, unless the operator chose another number."
)
GET_CHANNEL = _CHANNELS.get()
UPDATE_CHANNEL = _CHANNELS.update(ChannelChange, _EVENTS, _TARGET_FAILURES)
DELETE_CHANNEL = _CHANNELS.delete("Deletes it with its target; deliveries on their way to it are given up.")
TEST_CHANNEL = _CHANNELS.test(
    "Sends a test, whatever the channel asks for; its deliveries show what became of it.", _EVENT_ID
)
LIST_CHANNEL_DELIVERIES = _CHANNELS.list_deliveries(
    "List what was sent",
    "What was sent, and what is still to be",
    {"eventId": _EVENT_ID, "event": "balance.low"},
    STATES,
    EVENTS,
)
REPLAY_CHANNEL = _CHANNELS.replay(
    "Send events again",
    "One delivery, or those of a period that were given up, which are then one text.",
    "How many events are sent again.",
    ChannelReplay,
)
