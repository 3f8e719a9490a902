"""Finds customers of a price file whose ids a spreadsheet spoiled: a lost `+`, or a number as `2.54712E+11`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence

import grpc
from grpc import aio

from sms_cli.costs.cost_import import Change
from sms_cli.shared.local_settings import LocalSettings
from sms_cli.shared.service_calls import messaging_stub, pricing_stub
from tukupay.sms.messaging.v1 import accounts_pb2, accounts_pb2_grpc
from tukupay.sms.pricing.v1 import pricing_pb2 as pb

LOOKED_UP = 10_000
"""The most customers to look up; each costs two questions to each service."""
_AT_ONCE = 16
_QUESTIONS = 1_000
_SHORTENED = re.compile(r"\d(?:[.,]\d+)?E\+?\d+", re.ASCII | re.IGNORECASE)
_DIGITS = re.compile(r"\d{7,15}", re.ASCII)


async def lost_ids(services: LocalSettings, changes: Sequence[Change]) -> list[str]:
    """A sentence for each line whose customer is likely another one. Raises CommandError when pricing is away."""
    warnings = [
        f"line {change.row.line}: {change.row.entity!r} looks like a number that a spreadsheet has shortened; "
        "format the column as text and export the prices again"
        for change in changes
        if change.row.entity and _SHORTENED.fullmatch(change.row.entity)
    ]
    lines: dict[str, int] = {}
    for change in changes:
        customer = change.row.customer
        if customer is not None and change.effect == pb.IMPORT_EFFECT_NEW and _DIGITS.fullmatch(customer):
            lines.setdefault(customer, change.row.line)
    if not lines:
        return warnings
    looked_up = list(lines)[:LOOKED_UP]
    priced = await _priced(services, [*looked_up, *(f"+{customer}" for customer in looked_up)])
    doubtful = [customer for customer in looked_up if customer not in priced]
    accounts, remark = await _accounts(services, [*doubtful, *(f"+{customer}" for customer in doubtful)])
    for customer in doubtful:
        known = [what for what, names in (("a price", priced), ("an account", accounts)) if f"+{customer}" in names]
        if known and customer not in accounts:
            warnings.append(
                f"line {lines[customer]}: {customer} has neither a price nor an account, while +{customer} has "
                f"{' and '.join(known)}; if that one is meant, put the + back, as a spreadsheet takes it away"
            )
    if remark:
        warnings.append(remark)
    if len(lines) > LOOKED_UP:
        warnings.append(f"only the first {LOOKED_UP:,} new customers made of digits were looked up")
    return warnings


async def _priced(services: LocalSettings, customers: Sequence[str]) -> set[str]:
    """The customers with a price of their own now."""
    found: set[str] = set()
    async with pricing_stub(services.pricing) as stub:
        for start in range(0, len(customers), _QUESTIONS):
            request = pb.BatchResolvePricesRequest(
                requests=[
                    pb.ResolvePriceRequest(customer_id=customer) for customer in customers[start : start + _QUESTIONS]
                ]
            )
            answer = await stub.BatchResolvePrices(request)
            found.update(
                result.price.cost.customer_id
                for result in answer.results
                if result.price.cost.level == pb.COST_LEVEL_SPECIFIC_CUSTOMER
            )
    return found


async def _accounts(services: LocalSettings, users: Sequence[str]) -> tuple[set[str], str | None]:
    """The customers with an account, and a remark when messaging does not answer."""
    found: set[str] = set()
    waiting: Iterator[str] = iter(users)
    async with messaging_stub(services.messaging, accounts_pb2_grpc.AccountServiceStub) as stub:

        async def work() -> None:
            for user in waiting:
                try:
                    await stub.GetAccount(accounts_pb2.GetAccountRequest(user_id=user))
                except aio.AioRpcError as error:
                    if error.code() is not grpc.StatusCode.NOT_FOUND:
                        raise
                else:
                    found.add(user)

        try:
            await asyncio.gather(*(work() for _ in range(min(_AT_ONCE, len(users)))))
        except aio.AioRpcError:
            return found, "messaging does not answer, so whether these customers have accounts was not looked at"
    return found, None
