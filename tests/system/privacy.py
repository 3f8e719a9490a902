"""What must show up in no log and no error: every test of a running system sends it through everything."""

from __future__ import annotations

import re

OTP = "84210973"
"""Part of every text that these tests send."""
DATABASE_PASSWORD = "canary-of-the-database"
SMPP_PASSWORD = "canary-s"
CHANNEL_SECRET = "canary-of-a-channel"
"""Part of every target of a channel in these tests, and of the password of their mail relay."""

_PRIVATE = {
    "the text of a message": re.compile(OTP),
    "the password of the database": re.compile(re.escape(DATABASE_PASSWORD)),
    "the password at the carrier": re.compile(re.escape(SMPP_PASSWORD)),
    "the secret of a channel": re.compile(re.escape(CHANNEL_SECRET)),
    "a whole API key": re.compile(r"tk_(live|test)_[0-9A-Za-z]{12}"),
    # Every recipient of these tests is a Kenyan mobile.
    "a full phone number": re.compile(r"(?<![0-9A-Fa-f.])\+?254[17]\d{8}(?!\d)"),
}


def leaks(text: str) -> list[str]:
    """What a text tells that it should not, each with the line that does."""
    return [
        f"{what}: {line}"
        for what, pattern in _PRIVATE.items()
        if pattern.search(text)
        for line in text.splitlines()
        if pattern.search(line)
    ]
