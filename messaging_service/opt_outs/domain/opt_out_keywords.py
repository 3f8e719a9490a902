"""The words by which a phone opts out, and in again."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from messaging_service.opt_outs.domain.inbound import InboundMessage
from messaging_service.opt_outs.domain.suppression import Directive

OPT_OUT_WORDS = (
    *("STOP", "STOPALL", "UNSUBSCRIBE", "UNSUB", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE"),
    *("ACHA", "KOMA", "ONDOA"),
)
"""English as operators' associations list them (CTIA, Messaging Principles), and Swahili for let be, cease, remove."""
OPT_IN_WORDS = ("START", "UNSTOP", "ANZA")
"""YES is left out on purpose: it is the answer to many other questions."""

_WORDS = re.compile(r"[^\W_]+")
_SENTENCE = re.compile(r"[^.!]*[.!]")
"""The first sentence of a text, when a full stop or an exclamation mark ends it."""


def folded(text: str) -> str:
    """Only the letters and digits of a text, without case, so that `Stop!` is `STOP` and `STOP ALL` is `STOPALL`."""
    return "".join(_words(text))


def _words(text: str) -> list[str]:
    return _WORDS.findall(unicodedata.normalize("NFKC", text).casefold())


@dataclass(frozen=True, slots=True)
class Keywords:
    """What counts as a word of opting out or in."""

    opt_out: frozenset[str] = frozenset(map(folded, OPT_OUT_WORDS))
    """Folded."""
    opt_in: frozenset[str] = frozenset(map(folded, OPT_IN_WORDS))
    """Folded."""
    first_word_counts: bool = False
    """Whether the first word decides; otherwise the keyword must be the whole message."""

    def directive(self, message: InboundMessage) -> Directive:
        """What a message asks for. A carrier's own report of an opt-out needs no keyword."""
        if message.is_opt_out:
            return Directive.OPT_OUT
        if message.text is None:
            return Directive.UNREADABLE
        said = self._said(message.text, folded(message.sender_id))
        # Who says both means to be left alone.
        if said & self.opt_out:
            return Directive.OPT_OUT
        return Directive.OPT_IN if said & self.opt_in else Directive.NONE

    def _said(self, text: str, sender: str) -> set[str]:
        """What may be a keyword: the whole text and its first sentence, each also without the sender id behind it.

        "STOP 22141" to 22141 is plain; "STOP 12345" to 22141 means something else. `sender` is folded.
        """
        words = _words(text)
        said = {"".join(words), _without_sender(words, sender)}
        if (sentence := _SENTENCE.match(unicodedata.normalize("NFKC", text))) is not None:
            first = _words(sentence[0])
            said |= {"".join(first), _without_sender(first, sender)}
        if self.first_word_counts:
            said |= set(words[:1])
        return said


def _without_sender(words: list[str], sender: str) -> str:
    """What stands before the sender id at the end of a text; nothing when it does not end with it."""
    length, at = 0, len(words)
    while at > 1 and length < len(sender):
        at -= 1
        length += len(words[at])
    return "".join(words[:at]) if sender and "".join(words[at:]) == sender else ""
