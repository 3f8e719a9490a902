"""A place in the window of a session."""

from __future__ import annotations

import asyncio

from messaging_service.carriers.smpp.binds.outstanding import Asked, SubmitAnswer, Unanswered
from messaging_service.carriers.smpp.binds.session import Session
from messaging_service.carriers.smpp.parts import Part


class Place:
    """The place that one submit takes in a session's window, and keeps between its parts."""

    __slots__ = ("_forgotten", "session")

    def __init__(self) -> None:
        self.session: Session | None = None
        self._forgotten = False

    def move_to(self, session: Session) -> None:
        """Takes a place there and gives back the one before."""
        self.free()
        self.session = session
        session.place_taken()

    async def ask(self, part: Part, asked: Asked) -> SubmitAnswer:
        """Submits a part by the session of the place."""
        if self.session is None:
            return Unanswered.NOT_WRITTEN
        answer = self.session.submit(part, asked)
        try:
            return await answer
        except asyncio.CancelledError:
            # The part is out all the same; the session frees the place when the answer comes.
            self._forgotten = answer.cancelled()
            raise

    def free(self) -> None:
        """Gives the place back, unless a submit that nobody waits for still fills it."""
        if self.session is not None and not self._forgotten:
            self.session.place_freed()
        self.session = None
