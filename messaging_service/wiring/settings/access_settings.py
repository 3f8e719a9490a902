"""Who may call the service, and what it shows to others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from service_kit.access.requirement import Access, access, access_problems
from service_kit.settings import flag, integer, setting


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """Credentials that are accepted, and the service's own."""

    access: Access = setting(
        "MESSAGING_ACCESS",
        "who may call: `open` for everybody who reaches the service, `required` for callers with a valid credential",
        parse=access,
        default=Access.OPEN,
        guide="guides/access.md",
    )
    identities_file: Path | None = setting(
        "MESSAGING_IDENTITIES_FILE",
        "TOML file of the services and operators that may call; looked at every 10 s",
        parse=Path,
        default=None,
        default_text="required with `MESSAGING_ACCESS=required`",
        guide="guides/access.md",
    )
    issuers_file: Path | None = setting(
        "MESSAGING_ISSUERS_FILE",
        "TOML file of the identity providers whose tokens are taken; looked at every 10 s; unset for none",
        parse=Path,
        default=None,
        guide="guides/access.md",
    )
    bad_credentials_per_minute: int = setting(
        "MESSAGING_BAD_CREDENTIALS_PER_MINUTE",
        "most calls in a minute from one address with a credential that is not valid; more are turned away",
        parse=integer(1, 1_000_000),
        default=60,
        guide="guides/access.md",
    )
    reflection: bool = setting(
        "MESSAGING_REFLECTION",
        "whether operators may list the gRPC methods by reflection where access is required; it is on where it is open",
        parse=flag,
        default=False,
    )
    service_token: str | None = setting(
        "MESSAGING_SERVICE_TOKEN",
        "the token that messaging shows to pricing; its file is read anew when it changes; unset for none",
        parse=lambda text: text,
        default=None,
        secret=True,
        guide="guides/access.md",
    )

    @classmethod
    def cross_check(cls, values: Mapping[str, object]) -> list[str]:
        """What the variables mean together."""
        return access_problems(values, "MESSAGING")
