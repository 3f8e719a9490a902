"""Settings from the environment: parsed once, frozen, and wrong ones named all at once."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_ENV = "env"
_HELP = "help"
_PARSE = "parse"
_GROUP = "group"
_DEFAULT_TEXT = "default_text"
_GUIDE = "guide"
_SECRET = "secret"  # noqa: S105 - the name of a mark

FILE_SUFFIX: Final = "_FILE"
"""Behind the name of a secret: the variable that names the file which holds it."""
MAX_SECRET_OCTETS: Final = 1_048_576
"""Of a file with a secret."""


class SettingsError(Exception):
    """One or more settings are missing or malformed; the message names every one of them."""


def setting(
    env: str,
    description: str,
    *,
    parse: Callable[[str], Any] = str,
    default: Any = dataclasses.MISSING,  # noqa: ANN401 - a field default has the field's own type
    secret: bool = False,
    default_text: str | None = None,
    guide: str | None = None,
) -> Any:  # noqa: ANN401 - stands where dataclasses.field stands
    """Declares a field of a frozen settings dataclass, read from an environment variable.

    `parse` raises ValueError with a sentence that says what would be right. A secret does not show in the repr, and
    may be in the file that `<env>_FILE` names. For the table of settings in the documents: `default_text` stands for a
    default that its own text does not explain, and `guide` is what to read about it, relative to that table.
    """
    return dataclasses.field(
        default=default,
        repr=not secret,
        metadata={
            _ENV: env,
            _HELP: description,
            _PARSE: parse,
            _DEFAULT_TEXT: default_text,
            _GUIDE: guide,
            _SECRET: secret,
        },
    )


def group(settings: type[T], *, default: Any = dataclasses.MISSING) -> T:  # noqa: ANN401 - the group's own type
    """Declares a field of a settings dataclass that holds a group of them: another such dataclass.

    `default`: the group when the settings are built without `load`; none unless given.
    """
    return dataclasses.field(default=default, metadata={_GROUP: settings})  # type: ignore[no-any-return]  # stands for it


@dataclass(frozen=True, slots=True)
class Declared:
    """One setting, as its class declares it."""

    env: str
    description: str
    default: object
    """dataclasses.MISSING for one that is required."""
    default_text: str | None
    guide: str | None
    is_secret: bool
    """Whether its value may also be in the file that `<env>_FILE` names."""


def declared(settings: type) -> list[Declared]:
    """Every setting of a class and of its groups, in the order of their declaration."""
    found: list[Declared] = []
    for spec in dataclasses.fields(settings):
        if (inner := spec.metadata.get(_GROUP)) is not None:
            found += declared(inner)
        else:
            found.append(
                Declared(
                    spec.metadata[_ENV],
                    spec.metadata[_HELP],
                    spec.default,
                    spec.metadata[_DEFAULT_TEXT],
                    spec.metadata[_GUIDE],
                    spec.metadata[_SECRET],
                )
            )
    return found


def env_of(settings: type, field: str) -> str:
    """The variable that a field of a settings class is read from."""
    (spec,) = (spec for spec in dataclasses.fields(settings) if spec.name == field)
    return str(spec.metadata[_ENV])


def load(settings: type[T], environ: Mapping[str, str]) -> T:
    """Builds a settings dataclass from the environment; an empty variable counts as unset.

    A class, or a group in it, may check what its variables mean together in a classmethod `cross_check(values)`, which
    gets the fields that are set and returns sentences, or in `__post_init__`, which raises ValueError with one. Raises
    SettingsError that names every missing or malformed variable.
    """
    problems: list[str] = []
    values = _read(settings, environ, problems)
    problems += _cross_checked(settings, values)
    if problems:
        raise SettingsError("settings are wrong:\n  " + "\n  ".join(problems))
    try:
        return _built(settings, values)
    except ValueError as error:
        raise SettingsError(f"settings are wrong:\n  {error}") from None


def _read(settings: type, environ: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    """The fields that are set; a group's are a dictionary of their own."""
    values: dict[str, Any] = {}
    for spec in dataclasses.fields(settings):
        if (inner := spec.metadata.get(_GROUP)) is not None:
            values[spec.name] = _read(inner, environ, problems)
            continue
        env = spec.metadata[_ENV]
        try:
            text = (secret_of if spec.metadata[_SECRET] else _text_of)(environ, env)
            if text:
                values[spec.name] = spec.metadata[_PARSE](text)
        except ValueError as error:
            problems.append(f"{env} ({spec.metadata[_HELP]}): {error}")
            continue
        if text:
            continue
        if spec.default is dataclasses.MISSING:
            problems.append(f"{env} ({spec.metadata[_HELP]}): is required")
    return values


def _text_of(environ: Mapping[str, str], env: str) -> str:
    return environ.get(env, "")


class FileSecret(str):
    """A secret that came from a file, which may hold another one later."""

    __slots__ = ("path",)

    path: Path

    @classmethod
    def read(cls, path: Path) -> FileSecret:
        """The secret in a file. Line ends at its end are not part of it.

        Raises ValueError, which begins with a verb and quotes nothing of it, when it cannot be read or is empty.
        """
        try:
            with path.open("rb") as file:
                octets = file.read(MAX_SECRET_OCTETS + 1)
            if len(octets) > MAX_SECRET_OCTETS:
                raise ValueError(f"has more than {MAX_SECRET_OCTETS:,} bytes")
            found = cls(octets.decode().rstrip("\r\n"))
        except OSError as error:
            raise ValueError(f"cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError("is not UTF-8") from None
        if not found:
            raise ValueError("is empty")
        found.path = path
        return found


def secret_of(environ: Mapping[str, str], env: str) -> str:
    """A secret from a variable, or from the file that the variable `<env>_FILE` names; empty when neither is set.

    Line ends at the end of the file are not part of it. Raises ValueError when both are set, or when the file cannot
    be read or is empty; it quotes nothing of either.
    """
    text, path = environ.get(env, ""), environ.get(env + FILE_SUFFIX, "")
    if not path:
        return text
    if text:
        raise ValueError(f"is set, and so is {env}{FILE_SUFFIX}; unset one of them")
    try:
        return FileSecret.read(Path(path))
    except ValueError as error:
        raise ValueError(f"{path}, which {env}{FILE_SUFFIX} names, {error}") from None


def _cross_checked(settings: type, values: Mapping[str, Any]) -> list[str]:
    problems: list[str] = []
    for name, inner in _groups(settings).items():
        problems += _cross_checked(inner, values[name])
    if (cross_check := getattr(settings, "cross_check", None)) is not None:
        problems += cross_check(values)
    return problems


def _built(settings: type[T], values: Mapping[str, Any]) -> T:
    built: dict[str, Any] = {name: _built(inner, values[name]) for name, inner in _groups(settings).items()}
    return settings(**{**values, **built})


def _groups(settings: type) -> dict[str, type]:
    return {
        spec.name: spec.metadata[_GROUP]
        for spec in dataclasses.fields(settings)
        if spec.metadata.get(_GROUP) is not None
    }


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens or a client connects."""

    host: str
    port: int
    resolver: str = ""
    """Of a client that asks for all addresses of a name: `dns:///`, or `dns://HOST:PORT/` for a name server of its own.
    """

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.resolver}{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def address(text: str) -> Address:
    """Parses `host:port`, with brackets around an IPv6 host."""
    host, separator, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"{text!r} is not host:port, for instance 127.0.0.1:8080")
    return Address(host, int(port))


def target(text: str) -> Address:
    """Parses where a client of gRPC connects: `host:port`, or `dns:///name:port` with or without a name server.

    Calls are spread over all addresses of a name, in either form.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        return address(text)
    server, slash, name = rest.partition("/")
    if scheme != "dns" or not slash:
        raise ValueError(f"{text!r} is neither host:port nor dns:///name:port")
    if server:
        address(server)
    parsed = address(name)
    return Address(parsed.host, parsed.port, f"dns://{server}/")


def listen_address(text: str) -> Address:
    """Parses the address of a server that asks nobody who they are, so that no other machine may reach it."""
    parsed = address(text)
    if not parsed.is_loopback:
        raise ValueError(
            f"{parsed.host} is reachable from other machines, and callers are not authenticated; listen on 127.0.0.1"
        )
    return parsed


def integer(minimum: int, maximum: int) -> Callable[[str], int]:
    """A parser of whole numbers within bounds, both included."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a whole number") from None
        if not minimum <= number <= maximum:
            raise ValueError(f"{number} is not between {minimum} and {maximum}")
        return number

    return parse


def seconds(minimum: float, maximum: float) -> Callable[[str], float]:
    """A parser of durations in seconds within bounds, both included."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a number of seconds") from None
        if not minimum <= number <= maximum:
            raise ValueError(f"{text} s is not between {minimum:g} and {maximum:g} s")
        return number

    return parse


def rising_seconds(minimum: float, maximum: float) -> Callable[[str], tuple[float, ...]]:
    """A parser of durations in seconds with commas between, each within bounds and none shorter than the one before."""
    one = seconds(minimum, maximum)

    def parse(text: str) -> tuple[float, ...]:
        found = tuple(one(part.strip()) for part in text.split(","))
        if list(found) != sorted(found):
            raise ValueError(f"{text!r} falls; give the seconds in rising order")
        return found

    return parse


def networks(text: str) -> tuple[Network, ...]:
    """Parses addresses and networks with commas between, for instance `10.0.0.0/8,2001:db8::1`."""
    found: list[Network] = []
    for part in text.split(","):
        try:
            found.append(ipaddress.ip_network(part.strip()))
        except ValueError as error:
            raise ValueError(f"{part.strip()!r} is no address or network: {error}") from None
    return tuple(found)


def names(text: str) -> frozenset[str]:
    """Parses names with commas between; spaces around each are dropped."""
    found = [name.strip() for name in text.split(",")]
    if not all(found):
        raise ValueError(f"{text!r} has an empty name between its commas")
    return frozenset(found)


def flag(text: str) -> bool:
    """Parses `true` or `false`."""
    if text not in {"true", "false"}:
        raise ValueError(f"{text!r} is neither true nor false")
    return text == "true"


def choice(*allowed: str) -> Callable[[str], str]:
    """A parser of one of a few words."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"{text!r} is none of {', '.join(allowed)}")
        return text

    return parse
