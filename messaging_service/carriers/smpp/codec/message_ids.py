"""A carrier's two spellings of one message id."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from messaging_service.carriers.smpp.smpp_settings import IdSpelling

IdReader = Callable[[str], str]

_HEX: Final = re.compile("[0-9A-Fa-f]+")
_DECIMAL: Final = re.compile("[0-9]+")


def id_reader(submit_ids: IdSpelling, receipt_ids: IdSpelling) -> IdReader:
    """What turns the id of a receipt into the spelling of the answer to its submit.

    An id that is not what the settings say stays as it is, since it may match all the same.
    """
    if submit_ids is IdSpelling.DECIMAL and receipt_ids is IdSpelling.HEX:
        return _decimal_of_hex
    if submit_ids is IdSpelling.HEX and receipt_ids is IdSpelling.DECIMAL:
        return _hex_of_decimal
    return str


def _decimal_of_hex(message_id: str) -> str:
    return str(int(message_id, 16)) if _HEX.fullmatch(message_id) else message_id


def _hex_of_decimal(message_id: str) -> str:
    return f"{int(message_id):x}" if _DECIMAL.fullmatch(message_id) else message_id
