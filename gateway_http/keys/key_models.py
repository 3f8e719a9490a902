"""API keys as REST takes and shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from google.protobuf.duration_pb2 import Duration
from msgspec import UNSET, Meta, Raw, UnsetType
from typing_extensions import override

from gateway_http.shared import reasons
from gateway_http.shared.problem import invalid_fields
from gateway_http.shared.rest_instants import instant, timestamp
from gateway_http.shared.rest_money import MICROS, micros, number
from service_kit.access.scopes import EVERYTHING, SCOPES, SELDOM
from service_kit.errors import Violation
from tukupay.sms.common.v1 import access_pb2 as common
from tukupay.sms.messaging.v1 import access_pb2 as pb

ModeName = Literal["live", "test"]
StatusName = Literal["active", "expired", "revoked"]

STATUSES: Final[dict[StatusName, pb.KeyStatus.ValueType]] = {
    "active": pb.KEY_STATUS_ACTIVE,
    "expired": pb.KEY_STATUS_EXPIRED,
    "revoked": pb.KEY_STATUS_REVOKED,
}
_STATUS_NAMES: Final[dict[int, StatusName]] = {value: name for name, value in STATUSES.items()}
_MODES: Final[dict[ModeName, common.AccessMode.ValueType]] = {
    "live": common.ACCESS_MODE_LIVE,
    "test": common.ACCESS_MODE_TEST,
}
_MODE_NAMES: Final[dict[int, ModeName]] = {value: name for name, value in _MODES.items()}

SCOPE_NAMES: Final = [*sorted(SCOPES.keys() - SELDOM), EVERYTHING]
"""What a key may have."""
_MAX_PER_MINUTE: Final = 1_000_000
_MAX_SPEND: Final = 1_000_000_000
"""KES."""
_MAX_OVERLAP_S: Final = 30 * 24 * 3_600
_ONE_LINE: Final = {"minLength": 1, "maxLength": 64}
_ABSENT: Final = b"null"

_Instant = Annotated[datetime, Meta(tz=True)]
_KeyId = Annotated[str, Meta(description="The public part of the key.", examples=["tk_live_4fQ2bT9x"])]
_Mode = Annotated[
    ModeName, Meta(description="test: messages go to sandbox carriers only and cost nothing. live: they are real.")
]
_Scopes = Annotated[
    Sequence[str],
    Meta(
        description="What it may do; `*` is everything.",
        extra_json_schema={"items": {"enum": SCOPE_NAMES}, "minItems": 1, "examples": [["sms:send", "sms:read"]]},
    ),
]
_Networks = Annotated[
    Sequence[str],
    Meta(
        description="Addresses and networks that it is valid from; empty: anywhere.",
        extra_json_schema={"maxItems": 100, "examples": [["203.0.113.0/24"]]},
    ),
]
_PerMinute = Annotated[
    int | None,
    Meta(
        description="Most messages in a minute, over all its accounts; null: as many as these allow.",
        extra_json_schema={"minimum": 1, "maximum": _MAX_PER_MINUTE},
    ),
]
_DAILY_SPEND: Final = Meta(
    description="Most KES in a day of Nairobi, over all its accounts; null: as much as these allow.",
    extra_json_schema={"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": _MAX_SPEND, "examples": [5000]},
)


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A key to make. `null` for an optional field is the same as leaving it out."""

    name: Annotated[str, Meta(description="What it is for.", extra_json_schema={"minLength": 1, "maxLength": 100})]
    mode: _Mode
    user_ids: Annotated[
        Sequence[str] | None,
        Meta(
            description="The accounts that it may act for; left out with `allAccounts`.",
            extra_json_schema={"maxItems": 100, "examples": [["user123"]]},
        ),
    ] = None
    all_accounts: Annotated[bool | None, Meta(description="It may act for every account.")] = None
    app_id: Annotated[
        str | None,
        Meta(description="The app through which its messages come, for pricing.", extra_json_schema=_ONE_LINE),
    ] = None
    scopes: _Scopes
    networks: _Networks | None = None
    expires_at: Annotated[
        str | None,
        Meta(description="From then on it is not valid.", extra_json_schema={"format": "date-time"}),
    ] = None
    messages_per_minute: _PerMinute = None
    daily_spend: Annotated[Raw | UnsetType, _DAILY_SPEND] = UNSET

    def to_request(self) -> pb.CreateKeyRequest:
        """The call that makes it; raises ProblemError for what cannot be read."""
        expires = None if self.expires_at is None else timestamp(self.expires_at, "expiresAt")
        given = _ABSENT if isinstance(self.daily_spend, UnsetType) else bytes(self.daily_spend)
        spend = None if given == _ABSENT else micros(given, "dailySpend")
        faults = [read for read in (expires, spend) if isinstance(read, Violation)]
        if isinstance(spend, int) and not 0 < spend <= _MAX_SPEND * MICROS:
            problem = f"is not more than 0 and at most {_MAX_SPEND:,}; give one in between, or leave it out"
            faults.append(Violation("dailySpend", reasons.OUT_OF_RANGE, problem))
        if self.messages_per_minute is not None and not 1 <= self.messages_per_minute <= _MAX_PER_MINUTE:
            problem = f"is not 1 to {_MAX_PER_MINUTE:,}; give one in between, or leave it out"
            faults.append(Violation("messagesPerMinute", reasons.OUT_OF_RANGE, problem))
        faults += _scope_faults(self.scopes)
        if faults or isinstance(expires, Violation) or isinstance(spend, Violation):
            raise invalid_fields(faults)
        terms = pb.KeyTerms(
            name=self.name,
            mode=_MODES[self.mode],
            accounts=self.user_ids,
            all_accounts=bool(self.all_accounts),
            app_id=self.app_id,
            scopes=self.scopes,
            networks=self.networks,
            expires_time=expires,
            messages_per_minute=self.messages_per_minute,
            daily_spend_micros=spend,
        )
        return pb.CreateKeyRequest(terms=terms)


def _scope_faults(scopes: Sequence[str]) -> list[Violation]:
    if not scopes:
        problem = "is empty; name what the key may do, for instance sms:send"
        return [Violation("scopes", reasons.REQUIRED, problem)]
    problem = f"is no scope of keys; use some of {', '.join(SCOPE_NAMES)}"
    return [
        Violation(f"scopes[{place}]", reasons.INVALID_VALUE, problem)
        for place, scope in enumerate(scopes)
        if scope not in SCOPE_NAMES
    ][:1]


class KeyRotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """How to change over to a new key."""

    overlap_seconds: Annotated[
        int | None,
        Meta(
            description="How long the old key stays valid beside the new one; a day unless given.",
            extra_json_schema={"minimum": 0, "maximum": _MAX_OVERLAP_S},
        ),
    ] = None

    def to_request(self, key_id: str) -> pb.RotateKeyRequest:
        """The call that rotates; raises ProblemError for a number that is out of range."""
        if self.overlap_seconds is None:
            return pb.RotateKeyRequest(key_id=key_id)
        if not 0 <= self.overlap_seconds <= _MAX_OVERLAP_S:
            problem = f"is not 0 to {_MAX_OVERLAP_S:,} seconds, which are 30 days; give one in between"
            raise invalid_fields([Violation("overlapSeconds", reasons.OUT_OF_RANGE, problem)])
        return pb.RotateKeyRequest(key_id=key_id, overlap=Duration(seconds=self.overlap_seconds))


class Key(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A key, without its secret."""

    key_id: _KeyId
    name: Annotated[str, Meta(description="What it is for.")]
    mode: _Mode
    status: Annotated[StatusName, Meta(description="Only an active key is valid.")]
    user_ids: Annotated[Sequence[str], Meta(description="The accounts that it may act for; empty with `allAccounts`.")]
    all_accounts: Annotated[bool, Meta(description="Whether it may act for every account.")]
    app_id: Annotated[str | None, Meta(description="The app through which its messages come; null: through none.")]
    scopes: _Scopes
    networks: _Networks
    expires_at: Annotated[_Instant | None, Meta(description="When it ends; null: no end is set.")]
    messages_per_minute: _PerMinute
    daily_spend: Annotated[Raw | None, _DAILY_SPEND]
    created_at: Annotated[datetime, Meta(tz=True, description="When it was made.")]
    created_by: Annotated[str, Meta(description="The caller that made it.")]
    last_used_at: Annotated[_Instant | None, Meta(description="When it was last used, to a minute; null: never.")]
    revoked_at: Annotated[_Instant | None, Meta(description="When it was revoked; null: it was not.")]
    revoked_by: Annotated[str | None, Meta(description="The caller that revoked it; null: nobody did.")]
    replaced_by: Annotated[str | None, Meta(description="The `keyId` that replaces it; null: none does.")]

    @classmethod
    def of(cls, key: pb.ApiKey) -> Key:
        """The key of the messaging service as REST shows it."""
        terms = key.terms
        return cls(
            key_id=key.key_id,
            name=terms.name,
            mode=_MODE_NAMES[terms.mode],
            status=_STATUS_NAMES[key.status],
            user_ids=list(terms.accounts),
            all_accounts=terms.all_accounts,
            app_id=terms.app_id if terms.HasField("app_id") else None,
            scopes=list(terms.scopes),
            networks=list(terms.networks),
            expires_at=instant(terms.expires_time) if terms.HasField("expires_time") else None,
            messages_per_minute=terms.messages_per_minute if terms.HasField("messages_per_minute") else None,
            daily_spend=number(terms.daily_spend_micros) if terms.HasField("daily_spend_micros") else None,
            created_at=instant(key.created_time),
            created_by=key.created_by,
            last_used_at=instant(key.last_used_time) if key.HasField("last_used_time") else None,
            revoked_at=instant(key.revoked_time) if key.HasField("revoked_time") else None,
            revoked_by=key.revoked_by if key.HasField("revoked_by") else None,
            replaced_by=key.replaced_by_key_id if key.HasField("replaced_by_key_id") else None,
        )


_Secret = Annotated[
    str,
    Meta(
        description="The whole key, for `Authorization: Bearer`; shown only now. Keep it as safe as a password.",
        examples=["tk_live_4fQ2bT9xK0b7sY1qVn3Zr8LwD5cHt2mXg6uPj9aE0Fh4Ri"],
    ),
]


class KeyWithSecret(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A key that was just made."""

    key: Key
    secret: _Secret

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key.key_id})"


class RotatedKey(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A key that was just made, and the one that it replaces."""

    key: Key
    secret: _Secret
    replaced: Annotated[Key, Meta(description="The old key, with the instant at which it ends.")]

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key.key_id})"
