"""Where the sandbox listens and how it plays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from service_kit.settings import Address, integer, listen_address, seconds, setting


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """Raises ValueError for an address that other machines can reach: anybody may bind and read there."""

    smpp_address: Address = setting(
        "SANDBOX_SMPP_ADDRESS",
        "where SMPP clients bind",
        parse=listen_address,
        default=Address("127.0.0.1", 2775),
    )
    http_address: Address = setting(
        "SANDBOX_HTTP_ADDRESS",
        "where the page with the phones is",
        parse=listen_address,
        default=Address("127.0.0.1", 8090),
    )
    receipt_delay_s: float = setting(
        "SANDBOX_RECEIPT_DELAY_S",
        "seconds between taking a part and reporting it delivered",
        parse=seconds(0, 86_400),
        default=1.0,
    )
    receipt_retry_s: float = setting(
        "SANDBOX_RECEIPT_RETRY_S",
        "seconds until a receipt that was not acknowledged comes again",
        parse=seconds(0, 86_400),
        default=1.0,
    )
    slow_answer_s: float = setting(
        "SANDBOX_SLOW_ANSWER_S",
        "seconds that the slow number takes to answer",
        parse=seconds(0, 3_600),
        default=2.0,
    )
    kept_messages: int = setting(
        "SANDBOX_KEPT_MESSAGES",
        "messages kept in memory; the oldest go first",
        parse=integer(1, 1_000_000),
        default=10_000,
    )
    log_path: Path | None = setting(
        "SANDBOX_LOG",
        "file to which each accepted submit is appended as a line of JSON; none when unset",
        parse=Path,
        default=None,
    )

    def __post_init__(self) -> None:
        for address in (self.smpp_address, self.http_address):
            if not address.is_loopback:
                raise ValueError(f"{address} is no loopback address, and the sandbox lets anybody in")

    def on_free_ports(self) -> SandboxSettings:
        """The same, on ports that the operating system picks."""
        return replace(
            self,
            smpp_address=replace(self.smpp_address, port=0),
            http_address=replace(self.http_address, port=0),
        )
