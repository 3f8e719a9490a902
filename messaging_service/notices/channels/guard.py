"""What a process that runs a foreign library may do once set up: connect to checked addresses, and read its own files.

Audit hooks (PEP 578) cannot be taken away again, and see what every library in the process does: whichever of them
opens a socket, the very address that it is about to connect to is judged, so a name that leads elsewhere a moment later
gains nothing.
"""

from __future__ import annotations

import ipaddress
import os
import site
import socket
import sys
import sysconfig
from collections.abc import Sequence
from typing import Any, Final

from messaging_service.notices.domain.targets import Network, is_outward

_ADDRESSED: Final = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_NEVER: Final = (
    "ctypes.dlopen",
    "os.chmod",
    "os.chown",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.kill",
    "os.killpg",
    "os.link",
    "os.mkdir",
    "os.posix_spawn",
    "os.putenv",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.spawn",
    "os.symlink",
    "os.system",
    "os.truncate",
    "os.utime",
    "pty.spawn",
    "shutil.",
    "socket.bind",
    "subprocess.Popen",
)
_READABLE: Final = frozenset({"/dev/null", "/dev/urandom", "/etc/hosts", "/etc/mime.types", "/etc/resolv.conf"})
_READABLE_BELOW: Final = ("/usr/share/zoneinfo/",)
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class NotAllowedError(OSError):
    """The process tried something forbidden. An OSError, so that libraries treat it as a failed connection."""


class Guard:
    """The rules of one process. Install it once, before anything is done at a customer's request."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        """`allowed`: private networks that may be connected to."""
        self._allowed = allowed
        self._only: frozenset[tuple[str, int]] | None = None
        self._roots = _own_folders() + _READABLE_BELOW
        self.refused = 0
        """Connections that were refused so far."""

    def install(self) -> None:
        """Applies the rules from now until the process ends."""
        sys.addaudithook(self._watch)

    def only(self, addresses: Sequence[tuple[str, int]] | None) -> None:
        """Lets connect to these addresses and ports and to no others; None for all that lead outward."""
        self._only = None if addresses is None else frozenset(addresses)

    def may_connect(self, family: int, address: object) -> bool:
        """Whether a socket may be connected to an address as it is given to the system."""
        if family not in {socket.AF_INET, socket.AF_INET6} or not isinstance(address, tuple) or len(address) < 2:
            return False
        host, port = address[0], address[1]
        if not isinstance(host, str) or not isinstance(port, int):
            return False
        if self._only is not None:
            return (host, port) in self._only
        try:
            # A name would be looked up only after this.
            return is_outward(ipaddress.ip_address(host), self._allowed)
        except ValueError:
            return False

    def _watch(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self._check_open(*arguments)
        elif event in _ADDRESSED:
            # A datagram on a socket that is connected already has no address of its own.
            if event == "socket.sendmsg" and arguments[1] is None:
                return
            if not self.may_connect(arguments[0].family, arguments[1]):
                self.refused += 1
                raise NotAllowedError("the address is not in the public internet")
        elif event.startswith(_NEVER):
            raise NotAllowedError(f"{event} is not allowed")

    def _check_open(self, path: object, mode: object, flags: object) -> None:
        if isinstance(path, int):
            return
        if isinstance(flags, int) and flags & _WRITING and path != os.devnull:
            raise NotAllowedError("files are not written")
        name = os.path.realpath(os.fsdecode(path)) if isinstance(path, str | bytes) else ""
        if not name.startswith(self._roots) and name not in _READABLE:
            raise NotAllowedError("files of others are not read")


def _own_folders() -> tuple[str, ...]:
    """Where the interpreter and its libraries lie."""
    found = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found |= set(site.getsitepackages())
    return tuple(os.path.realpath(path) + os.sep for path in sorted(found))
