"""How phones opt out."""

from __future__ import annotations

from dataclasses import dataclass

from messaging_service.opt_outs.domain.opt_out_keywords import OPT_IN_WORDS, OPT_OUT_WORDS, folded
from service_kit.settings import choice, names, seconds, setting


def keywords(text: str) -> frozenset[str]:
    """Parses words with commas between; case and punctuation do not matter."""
    words = {word: folded(word) for word in names(text)}
    if empty := [word for word, letters in words.items() if not letters]:
        raise ValueError(f"{empty[0]!r} has neither letter nor digit")
    return frozenset(words.values())


@dataclass(frozen=True, slots=True)
class OptOutSettings:
    """The words of phones, and whom they reach all the same."""

    opt_out_exempt_tags: frozenset[str] = setting(
        "SMS_OPT_OUT_EXEMPT_TAGS",
        "tags, with commas between, of messages that also reach phones which opted out, such as otp",
        parse=names,
        default=frozenset(),
    )
    opt_out_keywords: frozenset[str] = setting(
        "SMS_OPT_OUT_KEYWORDS",
        "words, with commas between, by which a phone opts out",
        parse=keywords,
        default=frozenset(map(folded, OPT_OUT_WORDS)),
        default_text=", ".join(OPT_OUT_WORDS),
        guide="guides/opt-outs.md",
    )
    opt_in_keywords: frozenset[str] = setting(
        "SMS_OPT_IN_KEYWORDS",
        "words, with commas between, by which a phone takes that back",
        parse=keywords,
        default=frozenset(map(folded, OPT_IN_WORDS)),
        default_text=", ".join(OPT_IN_WORDS),
    )
    keyword_position: str = setting(
        "SMS_KEYWORD_POSITION",
        "where a keyword counts: `message` when it is all that the phone wrote, `first-word` also when more follows",
        parse=choice("message", "first-word"),
        default="message",
    )
    inbound_retention_s: float = setting(
        "SMS_INBOUND_RETENTION_S",
        "seconds that the record of a message from a phone is kept; its text is erased as soon as it was read",
        parse=seconds(0, 10 * 366 * 86_400),
        default=30 * 86_400.0,
    )

    def __post_init__(self) -> None:
        """Raises ValueError for a word that says two things."""
        if both := sorted(self.opt_out_keywords & self.opt_in_keywords):
            raise ValueError(f"SMS_OPT_OUT_KEYWORDS and SMS_OPT_IN_KEYWORDS share {', '.join(both)}; keep each in one")
