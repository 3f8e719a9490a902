"""A system that requires a credential of every caller: the tokens of its services, and the API keys of the load."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from service_kit.grpc.channel import open_channel
from service_kit.settings import address
from tukupay.sms.common.v1 import access_pb2 as common
from tukupay.sms.messaging.v1 import access_pb2, access_pb2_grpc

_IDENTITY = """
[[identity]]
name = "{name}"
kind = "{kind}"
token_sha256 = ["{digest}"]
scopes = [{scopes}]
accounts = "all"
"""
_MOST_ACCOUNTS = 100
"""Of one key by name."""


@dataclass(frozen=True)
class RequiredAccess:
    """Settings of the parts, and the token of the operator who makes the keys."""

    variables: dict[str, str]
    operator: str


def require_access(folder: Path) -> RequiredAccess:
    """Writes the file of identities into a folder; the settings name it."""
    tokens = {name: secrets.token_urlsafe(32) for name in ("gateway", "messaging", "operator")}
    scopes = {
        "gateway": ["assert:principal", "keys:resolve", "callbacks:write"],
        "messaging": ["prices:read"],
        "operator": ["*"],
    }
    text = "".join(
        _IDENTITY.format(
            name=name,
            kind="operator" if name == "operator" else "workload",
            digest=sha256(token.encode()).hexdigest(),
            scopes=", ".join(f'"{scope}"' for scope in scopes[name]),
        )
        for name, token in tokens.items()
    )
    path = folder / "identities.toml"
    path.write_text(text, encoding="utf-8")
    return RequiredAccess(
        {
            "PRICING_ACCESS": "required",
            "MESSAGING_ACCESS": "required",
            "GATEWAY_ACCESS": "required",
            "PRICING_IDENTITIES_FILE": str(path),
            "MESSAGING_IDENTITIES_FILE": str(path),
            "GATEWAY_SERVICE_TOKEN": tokens["gateway"],
            "MESSAGING_SERVICE_TOKEN": tokens["messaging"],
            "TUKUPAY_TOKEN": tokens["operator"],
        },
        tokens["operator"],
    )


async def make_keys(messaging: str, operator: str, accounts: Sequence[str], count: int) -> list[str]:
    """API keys that send: the account at a place is one of the key at that place, modulo `count`.

    Accounts that are too many for one key by name are all accounts to it.
    """
    keys: list[str] = []
    async with open_channel(address(messaging)) as channel:
        access = access_pb2_grpc.AccessServiceStub(channel)
        for number in range(count):
            own = accounts[number::count]
            named = len(own) <= _MOST_ACCOUNTS
            terms = access_pb2.KeyTerms(
                name=f"bench {number}",
                mode=common.ACCESS_MODE_LIVE,
                accounts=own if named else (),
                all_accounts=not named,
                scopes=["sms:send", "sms:read"],
            )
            made = await access.CreateKey(
                access_pb2.CreateKeyRequest(terms=terms),
                metadata=(("authorization", f"Bearer {operator}"),),
                timeout=20,
            )
            keys.append(made.secret)
    return keys
