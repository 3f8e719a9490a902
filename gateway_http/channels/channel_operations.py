"""The documented operations of channels."""

from __future__ import annotations

from gateway_http.channels.channel_models import EVENTS, STATES
from gateway_http.channels.channel_routes import CHANNEL, CHANNELS, DELIVERIES, MAX_DELIVERIES, REPLAY, TEST
from gateway_http.openapi.examples import Json
from gateway_http.openapi.operation import Answer, Operation, path_parameter, query_parameter, reference

TAG = "Channels"

_ID = "channel_0192e4a07c2b7d3e9a51c6f0b8d4e2a1"
_READ_DOWN = {503: ["MESSAGING_UNAVAILABLE", "DATABASE_UNAVAILABLE"], 504: ["MESSAGING_TIMEOUT"]}
_WRITE_DOWN = {
    503: ["MESSAGING_UNAVAILABLE", "MESSAGING_INTERRUPTED", "DATABASE_UNAVAILABLE"],
    504: ["MESSAGING_TIMEOUT"],
}
_TARGET_DOWN = {**_WRITE_DOWN, 503: [*_WRITE_DOWN[503], "CHANNELS_BUSY"]}
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

OPERATIONS = (
    Operation(
        "post",
        CHANNELS,
        "createChannel",
        TAG,
        "Make a channel",
        "From now on people are told there, in plain words, what the channel asks for: every alert unless `events` "
        "says otherwise. The secrets in a `url` are not shown again.",
        answers={201: Answer("The channel.", "Channel", {"room": _CHANNEL, "mailbox": _MAILBOX})},
        problems={409: ["TOO_MANY_CHANNELS"], **_TARGET_DOWN},
        body="NewChannel",
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
    ),
    Operation(
        "get",
        CHANNELS,
        "listChannels",
        TAG,
        "List the channels of an account",
        "All of them, oldest first; an account has at most 20, unless the operator chose another number.",
        answers={
            200: Answer(
                "The channels, oldest first.",
                {"type": "array", "items": reference("Channel")},
                {"channels": [_CHANNEL]},
            )
        },
        problems=_READ_DOWN,
        parameters=(
            query_parameter(
                "userId", "The account.", {"type": "string", "minLength": 1, "maxLength": 64}, required=True
            ),
        ),
    ),
    Operation(
        "get",
        CHANNEL,
        "getChannel",
        TAG,
        "Show a channel",
        "As it stands, with since when it fails.",
        answers={200: Answer("The channel.", "Channel", {"channel": _CHANNEL})},
        problems={404: ["CHANNEL_NOT_FOUND"], **_READ_DOWN},
        parameters=(_WHICH,),
    ),
    Operation(
        "patch",
        CHANNEL,
        "updateChannel",
        TAG,
        "Change a channel",
        "Changes what is given. What waits goes out at once, under the new terms. While it is disabled, nothing is "
        "recorded for it.",
        answers={200: Answer("The channel as changed.", "Channel", {"channel": _CHANNEL})},
        problems={404: ["CHANNEL_NOT_FOUND"], **_TARGET_DOWN},
        parameters=(_WHICH,),
        body="ChannelChange",
        body_examples={"events": {"events": ["balance.low", "sms.failed"]}, "enable": {"enabled": True}},
    ),
    Operation(
        "delete",
        CHANNEL,
        "deleteChannel",
        TAG,
        "Delete a channel",
        "Deletes it with its target; what is on its way to it is given up.",
        answers={204: Answer("It is deleted.", None, {})},
        problems={404: ["CHANNEL_NOT_FOUND"], **_WRITE_DOWN},
        parameters=(_WHICH,),
    ),
    Operation(
        "post",
        TEST,
        "testChannel",
        TAG,
        "Test a channel",
        "Tells of a test, whatever the channel asks for; its deliveries tell what became of it.",
        answers={202: Answer("The test, not tried yet.", "ChannelDelivery", {"test": _TESTED})},
        problems={404: ["CHANNEL_NOT_FOUND"], 409: ["CHANNEL_DISABLED"], **_WRITE_DOWN},
        parameters=(_WHICH,),
    ),
    Operation(
        "get",
        DELIVERIES,
        "listChannelDeliveries",
        TAG,
        "List what was told",
        "What was and is to be told, newest first. Follow the `Link` header for the next page.",
        answers={
            200: Answer(
                "The deliveries, newest first.",
                {"type": "array", "items": reference("ChannelDelivery")},
                {"deliveries": [_DELIVERY]},
                headers=("Link",),
            )
        },
        problems={404: ["CHANNEL_NOT_FOUND"], **_READ_DOWN},
        parameters=(
            _WHICH,
            query_parameter("state", "Only those in this state.", {"enum": list(STATES)}),
            query_parameter("event", "Only of this event.", {"enum": list(EVENTS)}),
            query_parameter(
                "limit",
                "Deliveries a page; 50 unless given.",
                {"type": "integer", "minimum": 1, "maximum": MAX_DELIVERIES},
            ),
            query_parameter(
                "pageToken",
                "From the `Link` header of the page before, with the same filters.",
                {"type": "string", "minLength": 1},
            ),
        ),
    ),
    Operation(
        "post",
        REPLAY,
        "replayChannel",
        TAG,
        "Tell of events again",
        "Of one delivery, or of those of a period that were given up, which are one text then.",
        answers={202: Answer("Of how many events is told again.", "Replayed", {"replayed": {"replayed": 3}})},
        problems={404: ["CHANNEL_NOT_FOUND", "CHANNEL_DELIVERY_NOT_FOUND"], **_WRITE_DOWN},
        parameters=(_WHICH,),
        body="ChannelReplay",
        body_examples={
            "one": {"deliveryId": "delivery_0192e4a07c2b7d3e9a51c6f0b8d4e2a2"},
            "period": {"from": "2024-12-15T00:00:00Z", "to": "2024-12-16T00:00:00Z"},
        },
    ),
)
