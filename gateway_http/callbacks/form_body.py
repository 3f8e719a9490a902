"""Reads bodies that are HTML forms, as carriers post them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from starlette.types import Receive

from gateway_http.shared import reasons
from gateway_http.shared.problem import ProblemError
from gateway_http.shared.request_body import MAX_BODY_BYTES, check_coding, received

MAX_FIELDS = 50
_FORM = b"application/x-www-form-urlencoded"


async def read_form(receive: Receive, headers: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """The fields of a form, the first value of each; what is no UTF-8 is replaced.

    Raises ProblemError when the body is declared as something else, is larger than MAX_BODY_BYTES, has more than
    MAX_FIELDS fields, or does not arrive in time; ClientGoneError when the client leaves.
    """
    for name, value in headers:
        if name == b"content-type" and value.split(b";")[0].strip().lower() != _FORM:
            raise ProblemError(reasons.UNSUPPORTED_MEDIA_TYPE, f"the body is not declared as {_FORM.decode()}")
        if name == b"content-encoding":
            check_coding(value)
        if name == b"content-length" and int(value) > MAX_BODY_BYTES:
            raise ProblemError(reasons.BODY_TOO_LARGE, f"the body has more than {MAX_BODY_BYTES} bytes")
    body = await received(receive, MAX_BODY_BYTES)
    try:
        pairs = parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise ProblemError(reasons.INVALID_ARGUMENT, f"the form has more than {MAX_FIELDS} fields") from None
    fields: dict[str, str] = {}
    for field, text in pairs:
        fields.setdefault(field, text)
    return fields
