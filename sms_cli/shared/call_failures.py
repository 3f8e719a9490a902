"""Failures of gRPC calls as a sentence and a remedy for a person at the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc
from google.rpc import error_details_pb2
from grpc import aio
from grpc_status import rpc_status

from service_kit.grpc.grpc_errors import request_id_of
from service_kit.settings import Address
from sms_cli.shared.command_error import CommandError

_SETTINGS = {"pricing": "PRICING_GRPC_ADDRESS", "messaging": "MESSAGING_GRPC_ADDRESS"}

_OPTIONS = {
    "price_micros": "PRICE",
    "effective_from": "--from",
    "customer_id": "--customer",
    "app_id": "--app",
    "created_by": "--by",
    "withdrawn_by": "--by",
    "reason": "--reason",
    "known_at": "--known-at",
    "at": "--at",
    "period_start": "--from",
    "period_end": "--to",
    "idempotency_key": "--idempotency-key",
}
"""The option or argument that sets a field of a request."""

_NOT_CONNECTED = "failed to connect"
"""Part of gRPC's message when a server was never reached."""

_OF_THE_REQUEST = {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.FAILED_PRECONDITION}
"""Refusals by a healthy system."""


def option_of(field: str) -> str:
    """The name of a field on the command line."""
    return f"{_OPTIONS.get(field, field)}:"


@contextmanager
def readable_errors(
    service: str, address: Address, named: Callable[[str], str] = option_of, *, open_end: str | None = None
) -> Iterator[None]:
    """Turns the failure of a call to a service into a CommandError.

    `named` gives the words for a field, before the sentence about it. `open_end` is the remedy when the service went
    away and it is unknown whether it did its work; None when that does not matter.
    """
    try:
        yield
    except aio.AioRpcError as error:
        raise _readable(service, address, error, named, open_end) from error


def _readable(
    service: str, address: Address, error: aio.AioRpcError, named: Callable[[str], str], open_end: str | None
) -> CommandError:
    reason, fields, retry = _details(error, named)
    if not reason and error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
        if open_end and _NOT_CONNECTED not in (error.details() or "").lower():
            return CommandError(f"{service} at {address} went away before it answered", open_end)
        return CommandError(
            f"{service} does not answer at {address}",
            f"start it with `tukupay-sms up` (or see `tukupay-sms status`), or set {_SETTINGS[service]}",
        )
    # In other refusals the message says more than the fields, for instance which entry is in the way.
    by_field = error.code() is grpc.StatusCode.INVALID_ARGUMENT or reason == "PRICE_GUARD"
    lines = (fields if by_field else []) or [error.details() or error.code().name]
    message = f"{service} refused ({reason or error.code().name}): " + "\n  ".join(lines)
    if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
        remedy = "correct the value and try again; nothing was stored or charged"
    elif reason == "PRICE_GUARD":
        remedy = "if this is meant, add --override-guards: the row then records that it was"
    elif retry:
        remedy = f"try again in {retry:g} s; nothing was stored or charged"
    elif error.code() is grpc.StatusCode.UNAUTHENTICATED:
        remedy = "set TUKUPAY_TOKEN_FILE to a file with a token that the service knows"
    elif error.code() is grpc.StatusCode.PERMISSION_DENIED:
        remedy = "use a token that may do this: the file of identities of the service says what each may do"
    elif error.code() in _OF_THE_REQUEST:
        remedy = "do what the message asks for; until then the command is refused"
    else:
        remedy = "the message above says what stands in the way; `tukupay-sms status` helps"
    return CommandError(message, remedy, reason=reason or None, request_id=request_id_of(error))


def _details(error: aio.AioRpcError, named: Callable[[str], str]) -> tuple[str, list[str], float]:
    """The stable reason, the fields at fault, and the seconds to wait; empty and 0 when not given."""
    reason, fields, retry, all_fields = "", list[str](), 0.0, 0
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        request = error_details_pb2.BadRequest()
        delay = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason = info.reason
            # The details of an error hold the first few dozen violations only.
            all_fields = int(info.metadata.get("violations", "0"))
        elif detail.Unpack(request):
            fields = [f"{named(each.field)} {each.description}" for each in request.field_violations]
        elif detail.Unpack(delay):
            retry = delay.retry_delay.ToTimedelta().total_seconds()
    if fields and all_fields > len(fields):
        fields.append(f"and {all_fields - len(fields):,} more")
    return reason, fields, retry
