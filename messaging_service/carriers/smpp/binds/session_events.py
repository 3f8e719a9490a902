"""What a session tells its owner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from messaging_service.carriers.smpp.binds.outstanding import Answered, Asked
from messaging_service.carriers.smpp.codec.pdu import Header
from messaging_service.carriers.smpp.codec.status import status_name


class BindRefused(Exception):  # noqa: N818 - the carrier's answer, named as the protocol names it
    """The carrier answered the bind with an error status."""

    def __init__(self, status: int) -> None:
        super().__init__(status_name(status))
        self.status = status


class Acknowledging(Protocol):
    """The end of a link at which something arrived."""

    def acknowledge(self, command: int, sequence: int, status: int) -> None:
        """Answers what arrived under this sequence number; silent when the link is gone."""
        ...


@dataclass(frozen=True, slots=True)
class SessionEvents:
    """What a session tells its owner; all are called on the event loop."""

    arrived: Callable[[Acknowledging, Header, bytes], None]
    """A deliver_sm or data_sm came; answer it with `acknowledge`."""
    place_freed: Callable[[], None]
    """A place in the window may have become free."""
    late: Callable[[Asked, Answered], None]
    """The answer came to a submit that was called unanswered."""
