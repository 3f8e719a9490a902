"""How to reach one carrier over SMPP."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SmppSettings:
    """What the carrier gave for the account, and how hard to use it.

    Raises ValueError that names every value that cannot work.
    """

    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    """Most carriers leave it empty; some give `VMA` or `SMPP`."""
    binds: int = 1
    """Transceiver sessions held at the same time; the carrier says how many it allows."""
    window: int = 10
    """Submits in flight on one bind at most."""
    response_timeout_s: float = 10.0
    """Seconds until a submit without an answer is called unknown, and a bind or enquire_link failed."""
    enquire_link_s: float = 30.0
    """Seconds between two checks that the peer is alive."""
    reconnect_min_s: float = 0.2
    """Seconds up to which the first wait before a new bind is drawn; each further one doubles."""
    reconnect_max_s: float = 30.0
    """Seconds that no wait before a new bind exceeds."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {value!r}: {rule}"
            for name, value, good, rule in (
                ("port", self.port, 0 < self.port <= 65_535, "use 1 to 65535"),
                ("binds", self.binds, self.binds >= 1, "use at least 1"),
                ("window", self.window, self.window >= 1, "use at least 1"),
                (
                    "response_timeout_s",
                    self.response_timeout_s,
                    self.response_timeout_s > 0,
                    "use more than 0",
                ),
                ("enquire_link_s", self.enquire_link_s, self.enquire_link_s > 0, "use more than 0"),
                ("reconnect_min_s", self.reconnect_min_s, self.reconnect_min_s > 0, "use more than 0"),
                (
                    "reconnect_max_s",
                    self.reconnect_max_s,
                    self.reconnect_max_s >= self.reconnect_min_s,
                    "use at least reconnect_min_s",
                ),
                ("system_id", self.system_id, _is_c_string(self.system_id), "use ASCII without zeros"),
                ("system_type", self.system_type, _is_c_string(self.system_type), "use ASCII without zeros"),
            )
            if not good
        ]
        if not _is_c_string(self.password):
            problems.append("password: use ASCII without zeros")
        if problems:
            raise ValueError("; ".join(problems))


def _is_c_string(value: str) -> bool:
    return value.isascii() and "\x00" not in value
