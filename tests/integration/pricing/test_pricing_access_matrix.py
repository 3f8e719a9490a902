"""Every method of pricing, called by everybody: nobody does or sees what is not theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import grpc
from google.protobuf.descriptor_pool import Default

from pricing_service.transport.servicer import SERVICE_NAME
from service_kit.access import bearer_tokens
from service_kit.access.api_key import generate
from service_kit.access.principal import AccessMode
from service_kit.access.requirement import Access
from tests.integration.pricing.conftest import pricing_on
from tests.system.access_matrix import MINE, OTHER, Caller, Verdict, methods, verdict
from tests.system.answered_calls import answer
from tests.system.known_callers import KnownCallers, Metadata, showing

METHODS: Final = list(methods(Default().FindServiceByName(SERVICE_NAME)))
CODES: Final = {
    Verdict.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Verdict.DENIED: grpc.StatusCode.PERMISSION_DENIED,
}


async def test_nobody_does_or_sees_what_is_not_theirs(pricing_url: str, tmp_path: Path) -> None:
    callers = KnownCallers(tmp_path / "identities.toml")
    revoked = callers.add("gone", "*")
    callers.remove("gone")
    key = showing(generate(AccessMode.LIVE).text)
    shown: dict[Caller, list[Metadata]] = {
        Caller.NOBODY: [()],
        Caller.GARBAGE: [showing("garbage"), showing(bearer_tokens.generate().text), key, showing("a.b.c")],
        Caller.EXPIRED: [key],
        Caller.REVOKED: [revoked],
        Caller.OTHER_ACCOUNT: [callers.add("others", "*", accounts=[OTHER])],
        Caller.PROGRAM: [callers.add("gateway", "assert:principal", "keys:resolve", kind="workload")],
        Caller.RIGHT: [callers.add("owner", "*", accounts=[MINE])],
        Caller.OPERATOR: [callers.add("amina", "*")],
    }
    without = {
        each.rule.scope: callers.add("without-" + each.rule.scope.replace(":", "-"), *each.other_scopes)
        for each in METHODS
    }
    leaks: list[str] = []
    async with pricing_on(
        pricing_url, access=Access.REQUIRED, identities_file=callers.path, bad_credentials_per_minute=1_000_000
    ) as pricing:
        await pricing.until_serving()
        for caller in Caller:
            for method in METHODS:
                for credential in [without[method.rule.scope]] if caller is Caller.WRONG_SCOPE else shown[caller]:
                    expected = verdict(method.rule, caller)
                    got = await answer(pricing.channel, method, method.request({}), credential)
                    fits = got.code is CODES[expected] if expected in CODES else got.code not in CODES.values()
                    leaks += [] if fits else [f"{method.name} by {caller.name}: {got.code.name} ({expected.name})"]
    assert leaks == []
