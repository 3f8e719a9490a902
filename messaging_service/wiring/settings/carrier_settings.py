"""Which carriers there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from service_kit.settings import flag, integer, seconds, setting

_REQUIRED = "required without `MESSAGING_CARRIERS_FILE`"
_ONE_CARRIER = {
    "smpp_host": "SMPP_HOST",
    "smpp_port": "SMPP_PORT",
    "smpp_system_id": "SMPP_SYSTEM_ID",
    "smpp_password": "SMPP_PASSWORD",
}


@dataclass(frozen=True, slots=True)
class CarrierSettings:
    """The carriers: those of a file, or one from the SMPP_ variables."""

    carriers_file: Path | None = setting(
        "MESSAGING_CARRIERS_FILE",
        "TOML file of carriers and routes; without it there is one carrier, from the SMPP_ variables",
        parse=Path,
        default=None,
        guide="guides/carriers.md",
    )
    smpp_host: str | None = setting(
        "SMPP_HOST", "host of the carrier's SMPP server", default=None, default_text=_REQUIRED
    )
    smpp_port: int | None = setting(
        "SMPP_PORT", "port of the carrier's SMPP server", parse=integer(1, 65_535), default=None, default_text=_REQUIRED
    )
    smpp_system_id: str | None = setting(
        "SMPP_SYSTEM_ID", "the ESME's name at the carrier", default=None, default_text=_REQUIRED
    )
    smpp_password: str | None = setting(
        "SMPP_PASSWORD", "the ESME's password at the carrier", default=None, secret=True, default_text=_REQUIRED
    )
    smpp_name: str = setting("SMPP_NAME", "the carrier's name in records and metrics", default="smpp")
    smpp_sandbox: bool = setting(
        "SMPP_SANDBOX",
        "true when it only plays a carrier and reaches no phones: test messages go to it, too",
        parse=flag,
        default=False,
        guide="guides/sandbox.md",
    )
    smpp_system_type: str = setting("SMPP_SYSTEM_TYPE", "system_type of the bind", default="")
    smpp_binds: int = setting(
        "SMPP_BINDS", "how many transceiver binds to hold", parse=integer(1, 100), default=1, guide="guides/smpp.md"
    )
    smpp_max_binds: int = setting(
        "SMPP_MAX_BINDS",
        "binds that the carrier allows the account over all replicas, which share them by leases; 0 for no limit",
        parse=integer(0, 100),
        default=0,
    )
    smpp_bind_lease_s: float = setting(
        "SMPP_BIND_LEASE_S",
        "seconds after which the binds of a dead replica are taken over, where SMPP_MAX_BINDS is set",
        parse=seconds(1, 600),
        default=30.0,
        guide="guides/smpp.md",
    )
    smpp_window: int = setting(
        "SMPP_WINDOW", "most submits in flight on one bind", parse=integer(1, 10_000), default=10
    )
    smpp_response_timeout_s: float = setting(
        "SMPP_RESPONSE_TIMEOUT_S",
        "seconds after which a submit without an answer is unknown; shorter than the lease",
        parse=seconds(0.1, 300),
        default=10.0,
    )
    smpp_enquire_link_s: float = setting(
        "SMPP_ENQUIRE_LINK_S",
        "seconds of silence after which a link is checked",
        parse=seconds(0.1, 600),
        default=30.0,
    )

    @classmethod
    def cross_check(cls, values: Mapping[str, object]) -> list[str]:
        """What is missing or too much of the carriers."""
        given = {name for name in _ONE_CARRIER if name in values}
        if values.get("carriers_file") is not None:
            return [f"{_ONE_CARRIER[name]}: the carriers are in MESSAGING_CARRIERS_FILE, unset it" for name in given]
        return [
            f"{env}: is required where MESSAGING_CARRIERS_FILE is not set"
            for name, env in _ONE_CARRIER.items()
            if name not in given
        ]
