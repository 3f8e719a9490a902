"""Where the sandbox listens and how it plays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

from sandbox_carriers.africastalking.api_behaviours import Behaviour, behaviour_named
from service_kit.settings import Address, integer, listen_address, seconds, setting


def _kes(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not an amount of KES") from None
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{text} is not an amount of KES from 0 up")
    return amount


def _url(text: str) -> str:
    if not text.startswith(("http://127.0.0.1:", "http://localhost:", "http://[::1]:")):
        raise ValueError("is no http:// address on this machine; the sandbox posts nowhere else")
    return text.rstrip("/")


def _name(find: Callable[[str], Behaviour | None]) -> Callable[[str], Behaviour]:
    def parse(text: str) -> Behaviour:
        behaviour = find(text)
        if behaviour is None:
            raise ValueError(f"{text!r} is no behaviour; the guide lists them")
        return behaviour

    return parse


@dataclass(frozen=True, slots=True)
class AfricasTalkingSandboxSettings:
    """Raises ValueError for an address that other machines can reach: anybody may read the texts there."""

    http_address: Address = setting(
        "AT_SANDBOX_HTTP_ADDRESS",
        "where the carrier's API is",
        parse=listen_address,
        default=Address("127.0.0.1", 8091),
    )
    username: str = setting("AT_SANDBOX_USERNAME", "the account that may send", default="sandbox")
    api_key: str = setting("AT_SANDBOX_API_KEY", "its key", default="sandbox-key", secret=True)
    callback_url: str | None = setting(
        "AT_SANDBOX_CALLBACK_URL",
        "where reports are posted, up to and with the secret; nowhere when unset",
        parse=_url,
        default=None,
        secret=True,
    )
    report_delay_s: float = setting(
        "AT_SANDBOX_REPORT_DELAY_S",
        "seconds between taking a message and reporting on it",
        parse=seconds(0, 86_400),
        default=1.0,
    )
    report_retry_s: float = setting(
        "AT_SANDBOX_REPORT_RETRY_S",
        "seconds until a report that was not answered with 2xx comes again",
        parse=seconds(0.001, 86_400),
        default=1.0,
    )
    slow_answer_s: float = setting(
        "AT_SANDBOX_SLOW_ANSWER_S",
        "seconds that the slow number takes to answer",
        parse=seconds(0, 3_600),
        default=2.0,
    )
    latency_s: float = setting(
        "AT_SANDBOX_LATENCY_S", "seconds that every answer takes", parse=seconds(0, 3_600), default=0.0
    )
    rate_per_s: int = setting(
        "AT_SANDBOX_RATE_PER_S",
        "messages a second, beyond which they are answered 429; 0 for no limit",
        parse=integer(0, 1_000_000),
        default=0,
    )
    fault: Behaviour | None = setting(
        "AT_SANDBOX_FAULT",
        "name of a behaviour that every message meets; none when unset",
        parse=_name(behaviour_named),
        default=None,
    )
    balance_kes: Decimal = setting(
        "AT_SANDBOX_BALANCE_KES", "what the account holds at the start", parse=_kes, default=Decimal("1785.50")
    )
    price_kes: Decimal = setting("AT_SANDBOX_PRICE_KES", "what a part costs", parse=_kes, default=Decimal("0.8000"))
    kept_messages: int = setting(
        "AT_SANDBOX_KEPT_MESSAGES",
        "messages kept in memory; the oldest go first",
        parse=integer(1, 1_000_000),
        default=10_000,
    )
    log_path: Path | None = setting(
        "AT_SANDBOX_LOG",
        "file to which each message that is taken is appended as a line of JSON; none when unset",
        parse=Path,
        default=None,
    )

    def __post_init__(self) -> None:
        if not self.http_address.is_loopback:
            raise ValueError(f"{self.http_address} is no loopback address, and the sandbox shows texts to anybody")

    def on_free_port(self) -> AfricasTalkingSandboxSettings:
        """The same, on a port that the operating system picks."""
        return replace(self, http_address=replace(self.http_address, port=0))
