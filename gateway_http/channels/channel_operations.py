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
from gateway_http.openapi.operation import READ_FAILURES, WRITE_FAILURES, Answer, BodyOperation, Many, Operation, Tag
from gateway_http.openapi.parameters import (
    USER_ID,
    page_parameters,
    path_parameter,
    query_parameter,
)
from gateway_http.openapi.problem_examples import Json
from gateway_http.shared.endpoint_models import Replayed

CHANNEL = "/api/sms/alerts/channels/{channelId}"
CHANNELS = "/api/sms/alerts/channels"
DELIVERIES = "/api/sms/alerts/channels/{channelId}/deliveries"
MAX_DELIVERIES = 500
REPLAY = "/api/sms/alerts/channels/{channelId}/replay"
TEST = "/api/sms/alerts/channels/{channelId}/test"

TAG = Tag("Channels", "Where people are told of alerts and failures.")

_ID = "channel_0192e4a07c2b7d3e9a51c6f0b8d4e2a1"
_TARGET_DOWN = {**WRITE_FAILURES, 503: [*WRITE_FAILURES[503], "CHANNELS_BUSY"]}
_WHICH = path_parameter("channelId", "The channel's identifier.", _ID)
_CHANNEL: Json = {
    "channelId": _ID,
    "userId": "user123",
    "kind": "service",
    "target": "slack://T...2/A...D/T...Q/%23duty/",
    "events": ["balance.low", "sms.failing", "outcomes.unknown", "carrier.down", "carrier.balance_low"],
    "description": "people on duty",
    "enabled": True,
    "createdAt": "2024-12-15T08:00:00Z",
    "disabledReason": None,
    "failingSince": None,
}
_MAILBOX: Json = {**_CHANNEL, "kind": "email", "target": "duty@example.com"}
_DELIVERY: Json = {
    "deliveryId": "delivery_0192e4a07c2b7d3e9a51c6f0b8d4e2a2",
    "eventId": "evt_0192e4a07c2b7d3e9a51c6f0b8d4e2a3",
    "event": "balance.low",
    "state": "pending",
    "tries": 1,
    "createdAt": "2024-12-15T08:00:00Z",
    "nextTryAt": "2024-12-15T08:00:05.250000Z",
    "lastTryAt": "2024-12-15T08:00:00.250000Z",
    "lastStatus": 503,
    "lastError": "ANSWERED_WITH_ERROR",
    "replays": 0,
}
_TESTED: Json = {
    **_DELIVERY,
    "event": "channel.test",
    "tries": 0,
    "nextTryAt": "2024-12-15T08:00:00Z",
    "lastTryAt": None,
    "lastStatus": None,
    "lastError": None,
}

CREATE_CHANNEL = BodyOperation(
    "post",
    CHANNELS,
    "createChannel",
    TAG,
    "Make a channel",
    "From now on people are told there, in plain words, what the channel asks for: every alert unless `events` "
    "says otherwise. The secrets in a `url` are not shown again.",
    answers={201: Answer("The channel.", Channel, {"room": _CHANNEL, "mailbox": _MAILBOX})},
    problems={409: ["TOO_MANY_CHANNELS"], **_TARGET_DOWN},
    body=NewChannel,
    body_examples={
        "room": {
            "userId": "user123",
            "url": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#duty",
            "description": "people on duty",
        },
        "mailbox": {
            "userId": "user123",
            "email": "duty@example.com",
            "events": ["balance.low", "sms.failed"],
        },
    },
)

LIST_CHANNELS = Operation(
    "get",
    CHANNELS,
    "listChannels",
    TAG,
    "List the channels of an account",
    "All of them, oldest first; an account has at most 20, unless the operator chose another number.",
    answers={
        200: Answer(
            "The channels, oldest first.",
            Many(Channel),
            {"channels": [_CHANNEL]},
        )
    },
    problems=READ_FAILURES,
    parameters=(USER_ID,),
)

GET_CHANNEL = Operation(
    "get",
    CHANNEL,
    "getChannel",
    TAG,
    "Show a channel",
    "As it stands, with since when it fails.",
    answers={200: Answer("The channel.", Channel, {"channel": _CHANNEL})},
    problems={404: ["CHANNEL_NOT_FOUND"], **READ_FAILURES},
    parameters=(_WHICH,),
)

UPDATE_CHANNEL = BodyOperation(
    "patch",
    CHANNEL,
    "updateChannel",
    TAG,
    "Change a channel",
    "Changes what is given. What waits goes out at once, under the new terms. While it is disabled, nothing is "
    "recorded for it.",
    answers={200: Answer("The channel as changed.", Channel, {"channel": _CHANNEL})},
    problems={404: ["CHANNEL_NOT_FOUND"], **_TARGET_DOWN},
    parameters=(_WHICH,),
    body=ChannelChange,
    body_examples={"events": {"events": ["balance.low", "sms.failed"]}, "enable": {"enabled": True}},
)

DELETE_CHANNEL = Operation(
    "delete",
    CHANNEL,
    "deleteChannel",
    TAG,
    "Delete a channel",
    "Deletes it with its target; what is on its way to it is given up.",
    answers={204: Answer("It is deleted.", None, {})},
    problems={404: ["CHANNEL_NOT_FOUND"], **WRITE_FAILURES},
    parameters=(_WHICH,),
)

TEST_CHANNEL = Operation(
    "post",
    TEST,
    "testChannel",
    TAG,
    "Test a channel",
    "Tells of a test, whatever the channel asks for; its deliveries tell what became of it.",
    answers={202: Answer("The test, not tried yet.", ChannelDelivery, {"test": _TESTED})},
    problems={404: ["CHANNEL_NOT_FOUND"], 409: ["CHANNEL_DISABLED"], **WRITE_FAILURES},
    parameters=(_WHICH,),
)

LIST_CHANNEL_DELIVERIES = Operation(
    "get",
    DELIVERIES,
    "listChannelDeliveries",
    TAG,
    "List what was told",
    "What was and is to be told, newest first. Follow the `Link` header for the next page.",
    answers={
        200: Answer(
            "The deliveries, newest first.",
            Many(ChannelDelivery),
            {"deliveries": [_DELIVERY]},
            headers=("Link",),
        )
    },
    problems={404: ["CHANNEL_NOT_FOUND"], **READ_FAILURES},
    parameters=(
        _WHICH,
        query_parameter("state", "Only those in this state.", {"enum": list(STATES)}),
        query_parameter("event", "Only of this event.", {"enum": list(EVENTS)}),
        *page_parameters("Deliveries", MAX_DELIVERIES),
    ),
)

REPLAY_CHANNEL = BodyOperation(
    "post",
    REPLAY,
    "replayChannel",
    TAG,
    "Tell of events again",
    "Of one delivery, or of those of a period that were given up, which are one text then.",
    answers={202: Answer("Of how many events is told again.", Replayed, {"replayed": {"replayed": 3}})},
    problems={404: ["CHANNEL_NOT_FOUND", "CHANNEL_DELIVERY_NOT_FOUND"], **WRITE_FAILURES},
    parameters=(_WHICH,),
    body=ChannelReplay,
    body_examples={
        "one": {"deliveryId": "delivery_0192e4a07c2b7d3e9a51c6f0b8d4e2a2"},
        "period": {"from": "2024-12-15T00:00:00Z", "to": "2024-12-16T00:00:00Z"},
    },
)
