"""How to reach one carrier over SMPP, and how that carrier likes its fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from messaging_service.carriers.template.receipt_words import problems_of

MAX_SYSTEM_ID: Final = 15
MAX_PASSWORD: Final = 64
"""The protocol has 8 characters; carriers give longer ones, and take them."""
MAX_SYSTEM_TYPE: Final = 12
MAX_SERVICE_TYPE: Final = 5
MAX_ADDRESS_RANGE: Final = 40
LONGEST_VALIDITY_S: Final = 30 * 86_400.0
"""No carrier is known to keep a message longer, and 30 days are the most that the days of a relative time hold."""
_RECEIPT_BITS: Final = 0x03
_RECEIPT_ALWAYS: Final = 0x01
_NEVER_AGAIN: Final = 0x65
"""ESME_RX_P_APPN, the permanent error of section 5.1.3."""


class BindMode(StrEnum):
    """With which sessions a bind is made."""

    TRANSCEIVER = "transceiver"
    """One session for submits, receipts and messages from phones."""
    PAIR = "pair"
    """A transmitter for submits and a receiver for receipts and messages from phones. Most carriers count it
    as two binds."""


class LongText(StrEnum):
    """How the parts of a long text say that they belong together."""

    UDH = "udh"
    """A user data header in front of each part, as on the air. Understood nearly everywhere."""
    SAR = "sar"
    """The sar_ parameters beside each part; the carrier makes the header."""
    PAYLOAD = "payload"
    """The whole text in message_payload, one submit; the carrier cuts it. It gives one id and one receipt."""


class TextForm(StrEnum):
    """In which octets a text of the GSM 7-bit alphabet travels to the carrier."""

    GSM7 = "gsm7"
    """One octet for each septet, announced as `gsm7_data_coding`."""
    LATIN1 = "latin1"
    """ISO-8859-1, announced as data_coding 3. A text with a character that Latin-1 lacks goes as GSM7."""


class InboundAlphabet(StrEnum):
    """What data_coding 0 means in messages from phones."""

    GSM7 = "gsm7"
    LATIN1 = "latin1"


class IdSpelling(StrEnum):
    """How a carrier writes a message id."""

    TEXT = "text"
    """Alike everywhere, but for case and leading zeros."""
    HEX = "hex"
    DECIMAL = "decimal"


class ReceiptsOfParts(StrEnum):
    """On which parts of a long text a carrier reports."""

    ALL = "all"
    """On each: the text is delivered once all of them are."""
    FIRST = "first"
    """On one of them: the first receipt that comes speaks for all."""


class ValidityForm(StrEnum):
    """How validity_period is written."""

    RELATIVE = "relative"
    """From when the carrier gets it, for instance `000000001000000R` for ten minutes. Needs no common clock."""
    ABSOLUTE = "absolute"
    """An instant in UTC, for instance `261122103000000+`."""
    OFF = "off"
    """Left empty, for a carrier that refuses it: how long a message is tried is then the carrier's choice alone."""


@dataclass(frozen=True, slots=True)
class SmppSettings:
    """What the carrier gave for the account, and how hard to use it.

    Raises ValueError that names every value that cannot work.
    """

    host: str
    port: int
    system_id: str
    """The account's name at the carrier, at most 15 characters."""
    password: str = field(repr=False)
    """Of the account. The protocol has 8 characters; up to 64 are sent as they are, since carriers give such."""
    system_type: str = ""
    """Most carriers leave it empty; some give `VMA` or `SMPP`. At most 12 characters."""
    address_range: str = ""
    """Which short codes or numbers the binds serve, in the form that the carrier gives, for instance `22141` or
    `^2214[1-3]$`; empty for all of the account. At most 40 characters."""
    addr_ton: int = 0
    """Type of number of `address_range`."""
    addr_npi: int = 0
    """Numbering plan of `address_range`."""
    interface_version: int = 0x34
    """Version of the protocol that a bind names: 0x33 for 3.3, 0x34 for 3.4, 0x50 for 5.0. What is spoken is 3.4 all
    the same; with a carrier of 3.3 use `bind_mode` pair and `long_text` udh."""
    bind_mode: BindMode = BindMode.TRANSCEIVER
    binds: int = 1
    """Binds (or pairs) that this process holds; with `max_binds` its fair share of those counts instead."""
    max_binds: int = 0
    """Binds (or pairs) that the carrier allows the account, over all replicas; each replica then holds leases on
    its share in the database. 0 for no limit, and no leases."""
    window: int = 10
    """Submits in flight on one bind at most."""
    max_submits_per_s: float = 0.0
    """Submits a second, each part one, that the carrier allows; smoothed, so that they do not come in gusts. With
    `max_binds` over all replicas, in proportion to the binds that each holds; else of this process. 0 for no limit."""
    throttle_pause_s: float = 0.1
    """Seconds for which a bind sends nothing after the carrier asked it to slow down. Doubles each time that the
    carrier asks again right after a pause."""
    throttle_pause_max_s: float = 5.0
    """Seconds that no such pause exceeds."""
    response_timeout_s: float = 10.0
    """Seconds until a submit without an answer is called unknown, and a bind or enquire_link failed."""
    store_timeout_s: float = 5.0
    """Seconds within which a receipt or a message from a phone is answered: with OK once it is stored, else with
    `not_stored_status`. Less than the time for which the carrier waits."""
    not_stored_status: int = 0x64
    """The status that has the carrier bring again what could not be stored. 0x64 (ESME_RX_T_APPN) is the protocol's;
    some carriers repeat at others alone, for instance 0x08 or 0x14."""
    enquire_link_s: float = 30.0
    """Seconds without anything from the peer after which it is asked whether it is alive."""
    reconnect_min_s: float = 0.2
    """Seconds that every wait before a new bind lasts at least. The first is drawn between that and twice as long; each
    further one may be twice as long."""
    reconnect_max_s: float = 30.0
    """Seconds that no wait before a new bind exceeds, but for refused credentials."""
    credentials_retry_s: float = 60.0
    """Seconds up to which one waits after the carrier refused the system id, password or system type: a carrier
    locks accounts that knock with a wrong password. At least half of it is waited."""
    lease_s: float = 30.0
    """Seconds for which a lease on a bind holds without renewal; a crashed replica's binds are taken over then."""

    tls: bool = False
    """TLS 1.2 or newer from the first octet. The carrier's certificate is always verified."""
    tls_ca_file: str | None = None
    """PEM file of the authorities that may vouch for the carrier; None for those of the system."""
    tls_cert_file: str | None = None
    """PEM file of our own certificate and its chain, where the carrier asks for one; None for none."""
    tls_key_file: str | None = None
    """PEM file of the certificate's key, without a passphrase; None when it is in `tls_cert_file`."""
    tls_server_name: str | None = None
    """The name that the carrier's certificate must bear; None for `host`."""

    sender_name_ton: int = 5
    """Type of number of a sender that is a name; 5 is alphanumeric."""
    sender_name_npi: int = 0
    sender_short_code_ton: int = 3
    """Type of number of a sender of at most `short_code_digits` digits; 3 is network specific."""
    sender_short_code_npi: int = 0
    sender_number_ton: int = 1
    """Type of number of a sender that is an international number; 1 is international."""
    sender_number_npi: int = 1
    sender_national_ton: int = 2
    """Type of number of any other sender of digits, for instance `0722000000`; 2 is national."""
    sender_national_npi: int = 1
    short_code_digits: int = 6
    """Most digits of a short code."""
    recipient_ton: int = 1
    recipient_npi: int = 1

    service_type: str = ""
    """At most 5 characters; empty is the account's default at the carrier."""
    registered_delivery: int = 1
    """Which reports to ask for with each part, SMPP 3.4 section 5.2.17. Its last two bits must be 01, the final
    receipt; 17 asks for the ones on the way as well."""
    long_text: LongText = LongText.UDH
    text_form: TextForm = TextForm.GSM7
    gsm7_data_coding: int = 0
    """The data_coding that announces GSM 7-bit text; 0 is the carrier's default alphabet, 241 is class 1 of it."""
    validity_form: ValidityForm = ValidityForm.RELATIVE
    default_validity_s: float = 0.0
    """Seconds after which the carrier is asked to give up on a message without an expiry of its own, at most 30
    days; 0 leaves that to the carrier."""

    submit_ids: IdSpelling = IdSpelling.TEXT
    """How ids are written in the answer to a submit."""
    receipt_ids: IdSpelling = IdSpelling.TEXT
    """How the same ids are written in receipts. Case and leading zeros never matter."""
    receipts: ReceiptsOfParts = ReceiptsOfParts.ALL
    """On which parts of a long text the carrier reports. Receipts are asked for with each part in any case."""
    receipt_states: Mapping[str, str] = field(default_factory=dict)
    """What the carrier's own words after `stat:` mean, for instance `{"0": "delivered"}`, in any case; they win over
    those that are known. A value of message_state is written in hexadecimal, for instance `0x0A`."""
    receipts_without_type: bool = False
    """Whether a text that looks like a receipt is one although neither its type nor a parameter says so. Anybody with
    a phone can write such a text, so it moves only messages to the phone that it comes from."""
    inbound_alphabet: InboundAlphabet = InboundAlphabet.GSM7
    """What data_coding 0 means in messages from phones."""
    country_code: str = ""
    """Digits that make a national number from the carrier international, for instance `254`; empty when the carrier
    always writes international ones."""

    def __post_init__(self) -> None:
        problems = [f"{name} {rule}" for name, good, rule in self._rules() if not good]
        if problems:
            raise ValueError("; ".join(problems))

    def _rules(self) -> Iterator[tuple[str, bool, str]]:
        """Name, whether the value is good, and what would be."""
        yield "host", _is_text(self.host) and bool(self.host), "must be the name or address of the carrier's server"
        yield from _numbers(
            self,
            "an integer",
            (int,),
            ("port", 1, 65_535),
            ("binds", 1, 100),
            ("max_binds", 0, 100),
            ("window", 1, 100_000),
            ("short_code_digits", 1, 15),
            *((f"{kind}_{half}", 0, 255) for kind in _ADDRESSES for half in ("ton", "npi")),
            ("addr_ton", 0, 255),
            ("addr_npi", 0, 255),
            ("interface_version", 0x33, 0x50),
            ("not_stored_status", 1, 0xFFFF_FFFF),
            ("gsm7_data_coding", 0, 255),
            ("registered_delivery", 0, 255),
        )
        yield from _numbers(
            self,
            "a number",
            (int, float),
            ("max_submits_per_s", 0, 100_000),
            ("throttle_pause_s", 0.001, 60),
            ("throttle_pause_max_s", 0.001, 600),
            ("response_timeout_s", 0.001, 300),
            ("store_timeout_s", 0.001, 300),
            ("enquire_link_s", 0.001, 3_600),
            ("reconnect_min_s", 0.001, 3_600),
            ("reconnect_max_s", 0.001, 3_600),
            ("credentials_retry_s", 0.001, 86_400),
            ("lease_s", 0.1, 3_600),
            ("default_validity_s", 0, LONGEST_VALIDITY_S),
        )
        yield "reconnect_max_s", self.reconnect_max_s >= self.reconnect_min_s, "is less than reconnect_min_s"
        yield (
            "throttle_pause_max_s",
            self.throttle_pause_max_s >= self.throttle_pause_s,
            "is less than throttle_pause_s",
        )
        yield from _enumerations(self)
        for name, longest in _STRINGS:
            value = getattr(self, name)
            good = _is_text(value) and value.isascii() and (value.isprintable() or not value)
            yield name, good, "must be a text of printable ASCII characters"
            yield name, not good or len(value) <= longest, f"is longer than {longest} characters"
        yield (
            "registered_delivery",
            self.registered_delivery & _RECEIPT_BITS == _RECEIPT_ALWAYS,
            f"is {self.registered_delivery}: its last two bits must be 01, which asks for every final receipt",
        )
        yield (
            "not_stored_status",
            self.not_stored_status != _NEVER_AGAIN,
            "is 0x65, ESME_RX_P_APPN, at which no carrier brings anything again: use one that it repeats",
        )
        yield (
            "default_validity_s",
            not self.default_validity_s or self.validity_form is not ValidityForm.OFF,
            "is set, but validity_form is off: choose relative or absolute, or leave it out",
        )
        yield from self._rules_of_tls()
        yield from self._rules_of_receipts()
        yield (
            "receipt_ids",
            (self.submit_ids is IdSpelling.TEXT) == (self.receipt_ids is IdSpelling.TEXT),
            "and submit_ids must both be text or neither: text cannot be converted to or from a number",
        )
        yield (
            "country_code",
            _is_text(self.country_code) and _COUNTRY_CODE.fullmatch(self.country_code) is not None,
            f"is {self.country_code!r}: use the digits alone, for instance 254",
        )

    def _rules_of_receipts(self) -> Iterator[tuple[str, bool, str]]:
        untyped: object = self.receipts_without_type
        yield "receipts_without_type", isinstance(untyped, bool), f"is {untyped!r}: use true or false"
        for problem in problems_of(self.receipt_states):
            yield "receipt_states", False, problem

    def _rules_of_tls(self) -> Iterator[tuple[str, bool, str]]:
        tls: object = self.tls
        yield "tls", isinstance(tls, bool), f"is {tls!r}: use true or false"
        for name in ("tls_ca_file", "tls_cert_file", "tls_key_file", "tls_server_name"):
            yield name, self.tls or getattr(self, name) is None, "is set but tls is off: set tls, or leave it out"
        yield "tls_key_file", not self.tls_key_file or bool(self.tls_cert_file), "needs tls_cert_file beside it"


_COUNTRY_CODE: Final = re.compile(r"([1-9][0-9]{0,3})?")
_ADDRESSES: Final = ("sender_name", "sender_short_code", "sender_number", "sender_national", "recipient")
_STRINGS: Final = (
    ("system_id", MAX_SYSTEM_ID),
    ("password", MAX_PASSWORD),
    ("system_type", MAX_SYSTEM_TYPE),
    ("service_type", MAX_SERVICE_TYPE),
    ("address_range", MAX_ADDRESS_RANGE),
)
_ENUMERATIONS: Final[tuple[tuple[str, type[StrEnum]], ...]] = (
    ("bind_mode", BindMode),
    ("long_text", LongText),
    ("text_form", TextForm),
    ("validity_form", ValidityForm),
    ("submit_ids", IdSpelling),
    ("receipt_ids", IdSpelling),
    ("receipts", ReceiptsOfParts),
    ("inbound_alphabet", InboundAlphabet),
)


def _numbers(
    settings: SmppSettings, what: str, types: tuple[type, ...], *ranges: tuple[str, float, float]
) -> Iterator[tuple[str, bool, str]]:
    for name, low, high in ranges:
        value: Any = getattr(settings, name)
        good = type(value) in types and low <= value <= high
        yield name, good, f"is {value!r}: use {what} from {low:g} to {high:g}"


def _enumerations(settings: SmppSettings) -> Iterator[tuple[str, bool, str]]:
    for name, kind in _ENUMERATIONS:
        value = getattr(settings, name)
        yield name, isinstance(value, kind), f"is {value!r}: use one of {', '.join(kind)}"


def _is_text(value: object) -> bool:
    return isinstance(value, str)
