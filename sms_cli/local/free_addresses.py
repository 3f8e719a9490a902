"""Checks before anything is started that every address is free."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping

from service_kit.settings import Address
from sms_cli.shared.command_error import CommandError


def check_free(listening: Mapping[str, Address]) -> None:
    """Raises CommandError that names every address that cannot be listened on, with its setting."""
    problems: list[str] = []
    remedies: list[str] = []
    seen: dict[Address, str] = {}
    for name, address in listening.items():
        if address in seen:
            problems.append(f"{name} and {seen[address]} are both {address}")
            remedies.append(f"set {name} to another port")
            continue
        seen[address] = name
        reason = _why_not(address)
        if reason is not None:
            problems.append(f"{address} ({name}) {reason}")
            remedies.append(
                f"stop the program that holds port {address.port} (`ss -ltnp 'sport = :{address.port}'` "
                f"names it), or choose another: {name}={_next_to(address)}"
            )
    if problems:
        raise CommandError("; ".join(problems), "\n".join(remedies))


def _why_not(address: Address) -> str | None:
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # A port whose last connections are still closing is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(target)
            probe.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return "is taken by another program"
        return f"cannot be listened on: {error.strerror}"
    return None


def _next_to(address: Address) -> Address:
    return Address(address.host, address.port + 10_000 if address.port < 50_000 else address.port - 10_000)
