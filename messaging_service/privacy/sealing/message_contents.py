"""The contents of messages: what only their senders and receivers should read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import msgspec
import structlog
from typing_extensions import override

from messaging_service.privacy.domain.key_scope import ENDPOINTS, month_of
from messaging_service.privacy.sealing.blind_index import HIDDEN, BlindIndex
from messaging_service.privacy.sealing.key_ring import KeyRing, keys_unavailable
from messaging_service.privacy.sealing.places import content_place
from messaging_service.shared.domain.message import Message
from service_kit.encryption.envelope import DataKey, EnvelopeError, from_text, is_sealed, key_of, to_text

log = structlog.get_logger()


class Content(msgspec.Struct, array_like=True, frozen=True):
    """What an envelope of a message holds."""

    text: str
    custom_data_json: str | None
    recipient: str


_CONTENT: Final = msgspec.json.Decoder(Content)


def with_text_of(message: Message, opened: Message) -> Message:
    """A message with the text that was opened of it before."""
    return replace(
        message,
        content=None,
        text=opened.text,
        custom_data_json=opened.custom_data_json,
        is_text_erased=opened.is_text_erased,
    )


class Sealer(Protocol):
    """Seals the contents of one batch of messages, without waiting."""

    def can_seal(self, account_id: str) -> bool:
        """Whether the key of an account is at hand; nothing else is to be sealed for it."""
        ...

    def content(self, message_id: UUID, account_id: str, content: Content) -> bytes | None:
        """The envelope of a message's content; None where contents are stored as they are."""
        ...

    def words(self, account_id: str, place: bytes, words: str | None) -> str | None:
        """Words as a column of text has them: in an envelope, or as they are. None when their key is away."""
        ...

    def phone(self, phone: str) -> bytes | None:
        """A phone's blind index; None where there is none."""
        ...

    def phones(self, phone: str) -> list[str]:
        """A phone in every form in which it may stand in an opt-out."""
        ...

    def fingerprint(self, fingerprint: bytes) -> bytes:
        """A request's fingerprint as it is stored."""
        ...

    def is_stored(self, fingerprint: bytes, stored: bytes) -> bool:
        """Whether a stored fingerprint is that of a request, also where it was stored in plain."""
        ...


class Contents(Protocol):
    """Seals what is stored, and opens what is read. Raises ServiceError KEYS_UNAVAILABLE."""

    async def sealer(self, accounts: Collection[str]) -> Sealer:
        """What seals the contents of these accounts now, as far as their keys can be had; the empty name is of none."""
        ...

    async def opened(self, messages: Sequence[Message]) -> list[Message]:
        """The messages with their texts, in the same order; a text whose key is destroyed counts as erased."""
        ...

    async def opened_where_possible(self, messages: Sequence[Message]) -> list[Message]:
        """The same, but messages whose keys cannot be had now are given back as they are."""
        ...

    async def words(self, stored: Sequence[tuple[bytes, str]]) -> list[str | None]:
        """Words out of columns of text, each with its place; None for those that cannot be read any more."""
        ...

    async def kept(self, place: bytes, secret: str) -> str:
        """A secret of an endpoint as it is stored in a column of text."""
        ...


class _Plain(Sealer):
    """Implements Sealer where contents are stored as they are."""

    @override
    def can_seal(self, account_id: str) -> bool:
        return True

    @override
    def content(self, message_id: UUID, account_id: str, content: Content) -> None:
        return None

    @override
    def words(self, account_id: str, place: bytes, words: str | None) -> str | None:
        return words

    @override
    def phone(self, phone: str) -> None:
        return None

    @override
    def phones(self, phone: str) -> list[str]:
        return [phone]

    @override
    def fingerprint(self, fingerprint: bytes) -> bytes:
        return fingerprint

    @override
    def is_stored(self, fingerprint: bytes, stored: bytes) -> bool:
        return fingerprint == stored


class PlainContents(Contents):
    """Implements Contents where they are stored as they are."""

    _sealer: Final = _Plain()
    _is_refused = False

    def refuse(self) -> None:
        """Gives no text and takes none from now on: they are under keys that this process does not have."""
        self._is_refused = True

    @override
    async def sealer(self, accounts: Collection[str]) -> Sealer:
        if self._is_refused:
            raise keys_unavailable()
        return self._sealer

    @override
    async def opened(self, messages: Sequence[Message]) -> list[Message]:
        if any(message.content is not None for message in messages):
            raise keys_unavailable()
        return list(messages)

    @override
    async def opened_where_possible(self, messages: Sequence[Message]) -> list[Message]:
        return list(messages)

    @override
    async def words(self, stored: Sequence[tuple[bytes, str]]) -> list[str | None]:
        if any(is_sealed(words) for _, words in stored):
            raise keys_unavailable()
        return [words for _, words in stored]

    @override
    async def kept(self, place: bytes, secret: str) -> str:
        if self._is_refused:
            raise keys_unavailable()
        return secret


PLAIN: Final = PlainContents()


@dataclass(frozen=True, slots=True)
class _Sealing(Sealer):
    """Implements Sealer with the keys of one month."""

    keys: Mapping[str, DataKey]
    hidden_by: BlindIndex | None
    """None while its key cannot be had."""
    phone_indexes: dict[str, bytes] = field(default_factory=dict)
    """Of the batch: each is asked for twice."""

    @property
    def index(self) -> BlindIndex:
        """The blind index. Raises ServiceError KEYS_UNAVAILABLE."""
        if self.hidden_by is None:
            raise keys_unavailable()
        return self.hidden_by

    @override
    def can_seal(self, account_id: str) -> bool:
        return account_id in self.keys and self.hidden_by is not None

    @override
    def content(self, message_id: UUID, account_id: str, content: Content) -> bytes:
        return self.keys[account_id].seal(msgspec.json.encode(content), content_place(message_id))

    @override
    def words(self, account_id: str, place: bytes, words: str | None) -> str | None:
        key = self.keys.get(account_id)
        return None if words is None or key is None else to_text(key.seal(words.encode(), place))

    @override
    def phone(self, phone: str) -> bytes:
        index = self.phone_indexes.get(phone)
        if index is None:
            index = self.phone_indexes[phone] = self.index.of_phone(phone)
        return index

    @override
    def phones(self, phone: str) -> list[str]:
        return [phone, HIDDEN + self.phone(phone).hex()]

    @override
    def fingerprint(self, fingerprint: bytes) -> bytes:
        return self.index.fingerprint(fingerprint)

    @override
    def is_stored(self, fingerprint: bytes, stored: bytes) -> bool:
        return stored in (fingerprint, self.index.fingerprint(fingerprint))


class SealedContents(Contents):
    """Implements Contents with the keys of a ring."""

    def __init__(self, ring: KeyRing, now: Callable[[], datetime]) -> None:
        self._ring = ring
        self._now = now

    @override
    async def sealer(self, accounts: Collection[str]) -> Sealer:
        keys = await self._ring.of_month(month_of(self._now()), accounts)
        return _Sealing(keys, await self._ring.index_at_hand())

    @override
    async def opened(self, messages: Sequence[Message]) -> list[Message]:
        found = await self.opened_where_possible(messages)
        if any(message.content is not None for message in found):
            raise keys_unavailable()
        return found

    @override
    async def opened_where_possible(self, messages: Sequence[Message]) -> list[Message]:
        sealed = [message.content for message in messages if message.content is not None]
        if not sealed:
            return list(messages)
        keys = await self._ring.opening(_numbers(sealed))
        return [message if message.content is None else _opened(message, message.content, keys) for message in messages]

    @override
    async def words(self, stored: Sequence[tuple[bytes, str]]) -> list[str | None]:
        sealed = {words: _envelope(words) for _, words in stored if is_sealed(words)}
        if not sealed:
            return [words for _, words in stored]
        keys = await self._ring.opening(_numbers(sealed.values()))
        return [_words(place, words, sealed, keys) for place, words in stored]

    @override
    async def kept(self, place: bytes, secret: str) -> str:
        keys = await self._ring.sealing([ENDPOINTS])
        if ENDPOINTS not in keys:
            raise keys_unavailable()
        return to_text(keys[ENDPOINTS].seal(secret.encode(), place))


def _numbers(envelopes: Iterable[bytes]) -> list[int]:
    """The keys of envelopes, as far as they are any."""
    return [number for envelope in envelopes if (number := _number(envelope)) is not None]


def _number(envelope: bytes) -> int | None:
    """The key of an envelope; None for what is none."""
    try:
        return key_of(envelope)
    except EnvelopeError:
        return None


def _envelope(words: str) -> bytes:
    """The envelope in a column of text; empty for what is none."""
    try:
        return from_text(words)
    except EnvelopeError:
        return b""


def _value(envelope: bytes, place: bytes, keys: Mapping[int, DataKey | None]) -> bytes | None:
    """What an envelope holds; None when its key is destroyed, or it was damaged or moved.

    Raises ServiceError KEYS_UNAVAILABLE when its key cannot be had now.
    """
    number = _number(envelope)
    if number is not None and number not in keys:
        raise keys_unavailable()
    try:
        key = keys[key_of(envelope)]
        return None if key is None else key.open(envelope, place)
    except EnvelopeError as error:
        log.error("privacy.content_unreadable", place=place.split(b":")[0].decode(), problem=str(error))  # noqa: TRY400 - no trace needed
        return None


def _opened(message: Message, envelope: bytes, keys: Mapping[int, DataKey | None]) -> Message:
    number = _number(envelope)
    if number is not None and number not in keys:
        return message
    value = _value(envelope, content_place(message.id), keys)
    if value is None:
        return replace(message, content=None, is_text_erased=True)
    content = _CONTENT.decode(value)
    return replace(message, content=None, text=content.text, custom_data_json=content.custom_data_json)


def _words(place: bytes, words: str, sealed: Mapping[str, bytes], keys: Mapping[int, DataKey | None]) -> str | None:
    if (envelope := sealed.get(words)) is None:
        return words
    value = _value(envelope, place, keys)
    return None if value is None else value.decode()
