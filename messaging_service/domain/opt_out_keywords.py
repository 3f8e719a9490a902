"""The words by which a phone opts out, and in again."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from messaging_service.domain.inbound import InboundMessage
from messaging_service.domain.suppression import Directive

OPT_OUT_WORDS = ("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "ACHA", "KOMA", "ONDOA")
"""English as operators' associations list them (CTIA, Messaging Principles), and Swahili for let be, cease, remove."""
OPT_IN_WORDS = ("START", "UNSTOP", "ANZA")
"""YES is left out on purpose: it is the answer to many other questions."""

_WORDS = re.compile(r"[^\W_]+")


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
        words = _words(message.text)
        said = {"".join(words), words[0]} if self.first_word_counts and words else {"".join(words)}
        # Who says both means to be left alone.
        if said & self.opt_out:
            return Directive.OPT_OUT
        return Directive.OPT_IN if said & self.opt_in else Directive.NONE
