"""Every reason that the gateway raises by itself; those of the services come with their stubs."""

from __future__ import annotations

from typing import Final

from service_kit import reasons as common
from service_kit.reasons import ReasonCatalogue

REASONS: Final = ReasonCatalogue()

# Of requests as a whole.
INVALID_ARGUMENT: Final = REASONS.take(common.INVALID_ARGUMENT)
MALFORMED_JSON: Final = REASONS.add("MALFORMED_JSON", "The body is not JSON.")
UNAUTHENTICATED: Final = REASONS.take(common.UNAUTHENTICATED)
PERMISSION_DENIED: Final = REASONS.take(common.PERMISSION_DENIED)
TOO_MANY_BAD_CREDENTIALS: Final = REASONS.take(common.TOO_MANY_BAD_CREDENTIALS)
NOT_FOUND: Final = REASONS.add("NOT_FOUND", "Not found.")
ROUTE_NOT_FOUND: Final = REASONS.add("ROUTE_NOT_FOUND", "No such route.")
METHOD_NOT_ALLOWED: Final = REASONS.add("METHOD_NOT_ALLOWED", "The route has no such method.")
BODY_TIMEOUT: Final = REASONS.add("BODY_TIMEOUT", "The body did not arrive.")
ALREADY_EXISTS: Final = REASONS.add("ALREADY_EXISTS", "It exists already.")
FAILED_PRECONDITION: Final = REASONS.add("FAILED_PRECONDITION", "The present state does not allow it.")
BODY_TOO_LARGE: Final = REASONS.add("BODY_TOO_LARGE", "The body is too large.")
UNSUPPORTED_MEDIA_TYPE: Final = REASONS.add("UNSUPPORTED_MEDIA_TYPE", "The body is not declared as JSON.")
UNSUPPORTED_CONTENT_CODING: Final = REASONS.add("UNSUPPORTED_CONTENT_CODING", "The body is compressed.")
OVERLOADED: Final = REASONS.take(common.OVERLOADED)
INTERNAL: Final = REASONS.add("INTERNAL", "Something went wrong here.")
PRICING_UNAVAILABLE: Final = REASONS.add("PRICING_UNAVAILABLE", "The pricing service cannot be reached.")
PRICING_INTERRUPTED: Final = REASONS.add("PRICING_INTERRUPTED", "The pricing service broke off.")
MESSAGING_UNAVAILABLE: Final = REASONS.add("MESSAGING_UNAVAILABLE", "The messaging service cannot be reached.")
MESSAGING_INTERRUPTED: Final = REASONS.add("MESSAGING_INTERRUPTED", "The messaging service broke off.")
PRICING_TIMEOUT: Final = REASONS.add("PRICING_TIMEOUT", "The pricing service did not answer in time.")
MESSAGING_TIMEOUT: Final = REASONS.add("MESSAGING_TIMEOUT", "The messaging service did not answer in time.")

# Of single fields.
REQUIRED: Final = REASONS.take(common.REQUIRED)
UNKNOWN_FIELD: Final = REASONS.add("UNKNOWN_FIELD", "The request has no such field; nothing is ignored silently.")
REPEATED_FIELD: Final = REASONS.add(
    "REPEATED_FIELD", "A field is given more than once; parsers differ in which value counts."
)
WRONG_TYPE: Final = REASONS.add("WRONG_TYPE", "The value has another JSON type than documented.")
INVALID_VALUE: Final = REASONS.take(common.INVALID_VALUE)
TOO_PRECISE: Final = REASONS.take(common.TOO_PRECISE)
NOT_ALLOWED: Final = REASONS.take(common.NOT_ALLOWED)
OUT_OF_RANGE: Final = REASONS.take(common.OUT_OF_RANGE)
NAIVE_TIMESTAMP: Final = REASONS.add("NAIVE_TIMESTAMP", "A time has no time zone.")
INVALID_TIMESTAMP: Final = REASONS.take(common.INVALID_TIMESTAMP)
INVALID_TEXT: Final = REASONS.take(common.INVALID_TEXT)
UNKNOWN_PARAMETER: Final = REASONS.add("UNKNOWN_PARAMETER", "The route has no such query parameter.")
REPEATED_PARAMETER: Final = REASONS.add("REPEATED_PARAMETER", "A query parameter is given more than once.")
EMPTY_PARAMETER: Final = REASONS.add("EMPTY_PARAMETER", "A query parameter has no value; leave it out instead.")
INVALID_IDENTIFIER: Final = REASONS.take(common.INVALID_IDENTIFIER)
BATCH_SIZE: Final = REASONS.add("BATCH_SIZE", "A batch is empty, or has more than 1,000 SMS.")
