"""The documented operations of API keys."""

from __future__ import annotations

from gateway_http.keys.key_models import STATUSES, Key, KeyRotation, KeyWithSecret, NewKey, RotatedKey
from gateway_http.openapi.operation import READ_FAILURES, WRITE_FAILURES, Answer, BodyOperation, Many, Operation, Tag
from gateway_http.openapi.parameters import ONE_LINE, page_parameters, path_parameter, query_parameter
from gateway_http.openapi.problem_examples import Json
from gateway_http.openapi.route_access import calls

TAG = Tag("API keys", "Who may call, as what, and for how long.")

_PATH = "/api/access/keys"
_ID = path_parameter("keyId", "The public part of the key.", "tk_live_4fQ2bT9x")
_SECRET = "tk_live_4fQ2bT9xK0b7sY1qVn3Zr8LwD5cHt2mXg6uPj9aE0Fh4Ri"  # noqa: S105 - of nobody
_NEW: Json = {
    "name": "shop, order texts",
    "mode": "live",
    "userIds": ["user123"],
    "scopes": ["sms:send", "sms:read"],
    "networks": ["203.0.113.0/24"],
    "expiresAt": "2027-12-15T08:00:00Z",
    "messagesPerMinute": 600,
    "dailySpend": 5000.0,
}
_KEY: Json = {
    **_NEW,
    "keyId": "tk_live_4fQ2bT9x",
    "status": "active",
    "allAccounts": False,
    "appId": None,
    "createdAt": "2026-12-15T08:00:00Z",
    "createdBy": "operator:jane",
    "lastUsedAt": "2026-12-16T10:15:00Z",
    "revokedAt": None,
    "revokedBy": None,
    "replacedBy": None,
}
_FRESH: Json = {**_KEY, "lastUsedAt": None}

CREATE_KEY = BodyOperation(
    "post",
    _PATH,
    "createKey",
    TAG,
    "Make an API key",
    "The answer is the only place where the whole key is ever shown: what is kept of it is a hash. It can be given no "
    "more than you may do yourself.",
    access=calls("AccessService/CreateKey"),
    answers={201: Answer("The key.", KeyWithSecret, {"made": {"key": _FRESH, "secret": _SECRET}})},
    problems=WRITE_FAILURES,
    body=NewKey,
    body_examples={
        "oneAccount": _NEW,
        "sandbox": {"name": "tests", "mode": "test", "userIds": ["user123"], "scopes": ["*"]},
        "everyAccount": {"name": "reports", "mode": "live", "allAccounts": True, "scopes": ["reports:read"]},
    },
)

LIST_KEYS = Operation(
    "get",
    _PATH,
    "listKeys",
    TAG,
    "List API keys",
    "Newest first, those that have ended among them. Follow the `Link` header for the next page.",
    access=calls("AccessService/ListKeys"),
    answers={200: Answer("The keys, newest first.", Many(Key), {"keys": [_KEY]}, headers=("Link",))},
    problems=READ_FAILURES,
    parameters=(
        query_parameter("userId", "Only those that may act for this account by name.", ONE_LINE),
        query_parameter("status", "Only those that stand there.", {"enum": list(STATUSES)}),
        *page_parameters("Keys", 500),
    ),
)

GET_KEY = Operation(
    "get",
    f"{_PATH}/{{keyId}}",
    "getKey",
    TAG,
    "Show an API key",
    "What it may do, when it was last used, and whether it still holds; never the secret.",
    access=calls("AccessService/GetKey"),
    answers={200: Answer("The key.", Key, {"key": _KEY})},
    problems={404: ["KEY_NOT_FOUND"], **READ_FAILURES},
    parameters=(_ID,),
)

ROTATE_KEY = BodyOperation(
    "post",
    f"{_PATH}/{{keyId}}/rotate",
    "rotateKey",
    TAG,
    "Replace an API key",
    "Makes a key that may do the same. Both are valid during the overlap, so that you can switch in your own time.",
    access=calls("AccessService/RotateKey"),
    answers={
        200: Answer(
            "The new key, and the old one with its end.",
            RotatedKey,
            {
                "rotated": {
                    "key": {**_FRESH, "keyId": "tk_live_9cW1eR5k"},
                    "secret": "tk_live_9cW1eR5kB8nT4vQ0zL6yS2hJ7dG3fM9xU1aKp5oC0r2Dwe",
                    "replaced": {**_KEY, "replacedBy": "tk_live_9cW1eR5k", "expiresAt": "2026-12-17T08:00:00Z"},
                }
            },
        )
    },
    problems={404: ["KEY_NOT_FOUND"], 409: ["KEY_ENDED", "KEY_REPLACED"], **WRITE_FAILURES},
    parameters=(_ID,),
    body=KeyRotation,
    body_examples={"oneHour": {"overlapSeconds": 3600}},
    body_required=False,
)

REVOKE_KEY = Operation(
    "post",
    f"{_PATH}/{{keyId}}/revoke",
    "revokeKey",
    TAG,
    "End an API key",
    "Every gateway refuses it within 2 seconds. Repeating the request is safe and changes nothing.",
    access=calls("AccessService/RevokeKey"),
    answers={
        200: Answer(
            "The key, ended.",
            Key,
            {
                "revoked": {
                    **_KEY,
                    "status": "revoked",
                    "revokedAt": "2026-12-16T11:00:00Z",
                    "revokedBy": "operator:jane",
                }
            },
        )
    },
    problems={404: ["KEY_NOT_FOUND"], **WRITE_FAILURES},
    parameters=(_ID,),
)
