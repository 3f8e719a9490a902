"""The reasons of errors: what programs branch on. Each is a constant with one sentence, in one file a package.

Here are those that the plumbing raises, and those that several packages do.
"""

from __future__ import annotations

from typing import Final


class ReasonCatalogue:
    """The reasons that a package raises."""

    def __init__(self) -> None:
        self.sentences: dict[str, str] = {}
        """By reason: what it says, as one sentence."""

    def add(self, reason: str, sentence: str) -> str:
        """Takes a reason into the catalogue, and gives it back. Raises ValueError when it is in it."""
        if reason in self.sentences:
            raise ValueError(f"{reason} is in the catalogue already")
        self.sentences[reason] = sentence
        return reason

    def take(self, reason: str) -> str:
        """Takes a reason of COMMON into the catalogue, and gives it back."""
        return self.add(reason, COMMON.sentences[reason])


COMMON: Final = ReasonCatalogue()

# Of requests as a whole.
INVALID_ARGUMENT: Final = COMMON.add("INVALID_ARGUMENT", "The request is not valid.")
MALFORMED_REQUEST: Final = COMMON.add("MALFORMED_REQUEST", "The request is not valid HTTP/1.1.")
HEAD_TIMEOUT: Final = COMMON.add("HEAD_TIMEOUT", "The headers did not arrive.")
HEAD_TOO_LARGE: Final = COMMON.add("HEAD_TOO_LARGE", "The headers are too large.")
OVERLOADED: Final = COMMON.add("OVERLOADED", "Too much at once.")
METHOD_NOT_IMPLEMENTED: Final = COMMON.add("METHOD_NOT_IMPLEMENTED", "The method is for proxies.")
UNSUPPORTED_TRANSFER_CODING: Final = COMMON.add("UNSUPPORTED_TRANSFER_CODING", "The transfer coding is not known.")
TOO_MANY_CONNECTIONS: Final = COMMON.add("TOO_MANY_CONNECTIONS", "Too many connections are open.")
DATABASE_UNAVAILABLE: Final = COMMON.add("DATABASE_UNAVAILABLE", "The database cannot be used now.")
DATABASE_NOT_READY: Final = COMMON.add("DATABASE_NOT_READY", "The database is not set up.")
UNAUTHENTICATED: Final = COMMON.add("UNAUTHENTICATED", "There is no credential, or it is not valid.")
PERMISSION_DENIED: Final = COMMON.add("PERMISSION_DENIED", "The credential does not allow this.")
TOO_MANY_BAD_CREDENTIALS: Final = COMMON.add(
    "TOO_MANY_BAD_CREDENTIALS", "Too many credentials from this address were not valid."
)
IDENTITY_PROVIDER_UNAVAILABLE: Final = COMMON.add(
    "IDENTITY_PROVIDER_UNAVAILABLE", "The keys of an identity provider cannot be had now."
)
HTTP_VERSION_NOT_SUPPORTED: Final = COMMON.add("HTTP_VERSION_NOT_SUPPORTED", "The version of HTTP is not spoken.")

# Of single fields.
REQUIRED: Final = COMMON.add("REQUIRED", "The field or parameter is missing.")
INVALID_VALUE: Final = COMMON.add("INVALID_VALUE", "The value is none of those documented.")
TOO_PRECISE: Final = COMMON.add("TOO_PRECISE", "An amount has more than 6 decimal places.")
MALFORMED: Final = COMMON.add("MALFORMED", "A text has characters that are not allowed.")
NOT_ALLOWED: Final = COMMON.add(
    "NOT_ALLOWED", "The field does not belong to this level, or the header to this route; leave it out."
)
INVALID_LEVEL: Final = COMMON.add("INVALID_LEVEL", "The level is none of those documented.")
OUT_OF_RANGE: Final = COMMON.add("OUT_OF_RANGE", "A number is outside its bounds.")
REPEATED: Final = COMMON.add("REPEATED", "A list has the same element twice.")
INVALID_TIMESTAMP: Final = COMMON.add("INVALID_TIMESTAMP", "A time is not RFC 3339.")
INVALID_TEXT: Final = COMMON.add("INVALID_TEXT", "A text is not valid UTF-8.")
INVALID_PAGE_TOKEN: Final = COMMON.add(
    "INVALID_PAGE_TOKEN", "The page token is malformed, or belongs to other filters."
)
INVALID_CURSOR: Final = COMMON.add(
    "INVALID_CURSOR", "The cursor of a watch is malformed, too old, or belongs to another account."
)
INVALID_IDENTIFIER: Final = COMMON.add(
    "INVALID_IDENTIFIER",
    "An identifier is empty, too long, begins or ends with a space, has characters that "
    "cannot be printed, or is not in Unicode's normal form NFC.",
)
