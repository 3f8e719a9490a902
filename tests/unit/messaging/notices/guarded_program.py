"""A process under the guard of channels: tries what it is asked for, and says what became of it.

Nothing leaves the machine: a second hook, behind the guard, keeps every connection that the guard lets pass.
"""

from __future__ import annotations

import ctypes
import ipaddress
import json
import os
import smtplib
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import requests

from messaging_service.notices.channels.guard import Guard, NotAllowedError

ROOT = sysconfig.get_path("purelib")
passed: list[list[Any]] = []


class KeptError(OSError):
    """The guard let a connection pass, and it goes no further here."""


def keep(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.sendto"}:
        passed.append(list(arguments[1]))
        raise KeptError


def resolver(names: Mapping[str, Sequence[Sequence[str]]]) -> Callable[..., Any]:
    """Answers for the names of a test, the last one again and again; all else only where it is an address."""
    system, asked = socket.getaddrinfo, dict[str, int]()

    def getaddrinfo(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        text = host.decode() if isinstance(host, bytes) else str(host)
        if text not in names:
            return system(host, port, *arguments, **options)
        answers = names[text]
        addresses = answers[min(asked.get(text, 0), len(answers) - 1)]
        asked[text] = asked.get(text, 0) + 1
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port, 0, 0) if ":" in address else (address, port),
            )
            for address in addresses
        ]

    return getaddrinfo


def outcome_of(action: Callable[[], Any]) -> str:
    """`refused` by the guard, `passed` by it, or what else came of it."""
    before = len(passed)
    try:
        action()
    except Exception as error:  # noqa: BLE001 - whatever comes of it is the answer
        seen: list[Any] = [error]
        while seen:
            one = seen.pop()
            if isinstance(one, NotAllowedError):
                return "refused" if len(passed) == before else "both"
            if isinstance(one, BaseException):
                seen += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
        return "passed" if len(passed) > before else type(error).__name__
    return "done"


def deeds(folder: str) -> dict[str, Callable[[], Any]]:
    """What a library could try beside connecting."""
    return {
        "connect by name": lambda: socket.socket().connect(("localhost", 9)),
        "connect to an unusual spelling": lambda: socket.socket().connect(("127.1", 9)),
        "connect_ex": lambda: socket.socket().connect_ex(("127.0.0.1", 9)),
        "unix socket": lambda: socket.socket(socket.AF_UNIX).connect("/run/dbus/system_bus_socket"),
        "datagram": lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"", ("127.0.0.1", 514)),
        "message": lambda: socket.socket(type=socket.SOCK_DGRAM).sendmsg([b""], [], 0, ("127.0.0.1", 514)),
        "mail": lambda: smtplib.SMTP("127.0.0.1", 25),
        "listen": lambda: socket.socket().bind(("127.0.0.1", 0)),
        "read a file": lambda: Path("/etc/passwd").read_text(),
        "read a link to it": lambda: Path(folder, "link").read_text(),
        "read past its libraries": lambda: Path(f"{sysconfig.get_path('stdlib')}{'/..' * 20}/etc/passwd").read_text(),
        "read past the time zones": lambda: Path("/usr/share/zoneinfo/../../../etc/passwd").read_text(),
        "read past it by octets": lambda: open(os.fsencode(f"{ROOT}/../{'../' * 20}etc/passwd")).read(),  # noqa: PTH123
        "read the environment": lambda: Path("/proc/self/environ").read_text(),
        "write a file": lambda: Path(folder, "file").write_text("x"),
        "remove a file": lambda: Path(folder, "link").unlink(),
        "run a program": lambda: subprocess.run(["true"], check=True),
        "run a shell": lambda: os.system("true"),
        "fork": os.fork,
        "replace itself": lambda: os.execv("/bin/true", ["true"]),
        "load a library": lambda: ctypes.CDLL("libdbus-1.so.3"),
        "read itself": lambda: Path(os.__file__).read_text(),
        "import": lambda: __import__("wave"),
        "connect outward": lambda: socket.socket().connect(("93.184.215.14", 443)),
    }


def main() -> None:
    asked = json.loads(sys.stdin.read())
    allowed = [ipaddress.ip_network(text) for text in asked["allowed"]]
    guard = Guard(allowed)
    urls, tries = asked["urls"], deeds(asked["folder"])
    requests.get  # noqa: B018 - is imported before
    guard.install()
    sys.addaudithook(keep)
    socket.getaddrinfo = resolver(asked["names"])
    results = {url: outcome_of(partial(requests.get, url, timeout=2)) for url in urls}
    reached = list(passed)
    done = {name: outcome_of(deed) for name, deed in tries.items()}
    guard.only([("127.0.0.1", 25)])
    only = {
        f"{host}:{port}": outcome_of(partial(socket.socket().connect, (host, port)))
        for host, port in (("127.0.0.1", 25), ("127.0.0.1", 26), ("127.0.0.2", 25), ("93.184.215.14", 25))
    }
    sys.stdout.write(json.dumps({"urls": results, "passed": reached, "deeds": done, "only": only}))


if __name__ == "__main__":
    main()
