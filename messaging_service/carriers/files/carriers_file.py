"""Carriers and routes from a TOML file.

Secrets are not in the file: `password_env = "NAME"` names an environment variable, `password_file = "/path"` a
file. The example in docs/examples/carriers.toml shows every table.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar, get_type_hints

import msgspec

from messaging_service.carriers.africastalking.africastalking_settings import AfricasTalkingSettings
from messaging_service.carriers.domain.circuit_breaker import BreakerSettings
from messaging_service.carriers.domain.routing import (
    DEFAULT_ROUTE,
    Leg,
    Route,
    Routes,
    default_route,
    modes_taken,
    only_route,
)
from messaging_service.carriers.smpp.smpp_settings import SmppSettings
from messaging_service.shared.domain.states import Priority
from service_kit.access.principal import AccessMode
from service_kit.settings import SettingsError

S = TypeVar("S")

_PLACE: Final = re.compile(r"at `\$\.(\w+)`$")
"""Where msgspec found a setting of another type than it must have."""

CarrierSettings = SmppSettings | AfricasTalkingSettings
KINDS: Mapping[str, type[CarrierSettings]] = {"smpp": SmppSettings, "africastalking": AfricasTalkingSettings}
"""What `kind` may say, and the settings that go with it."""


@dataclass(frozen=True, slots=True)
class CarrierSpec:
    """One carrier to build."""

    name: str
    settings: CarrierSettings
    is_sandbox: bool = False
    """Whether it only plays a carrier: no phone gets what it takes. Test messages go to such carriers alone."""


@dataclass(frozen=True, slots=True)
class CarrierPlan:
    """All carriers, and the routes that lead to them."""

    carriers: tuple[CarrierSpec, ...]
    routes: Routes
    breaker: BreakerSettings = dataclasses.field(default_factory=BreakerSettings)

    @property
    def sandboxes(self) -> frozenset[str]:
        """Names of the sandbox carriers."""
        return frozenset(spec.name for spec in self.carriers if spec.is_sandbox)

    def modes_of(self, carrier: str) -> frozenset[AccessMode]:
        """The modes of the messages that a carrier may have been given; both for one that is not in the plan."""
        return modes_taken(carrier, frozenset(spec.name for spec in self.carriers), self.sandboxes)


class _RouteTable(msgspec.Struct, forbid_unknown_fields=True):
    """One [[routes]] table."""

    name: str
    carriers: list[_LegTable]
    prefixes: list[str] = []
    networks: list[str] = []
    senders: list[str] = []
    priorities: list[Priority] = []


class _LegTable(msgspec.Struct, forbid_unknown_fields=True):
    """One entry of a route's `carriers`."""

    name: str
    weight: int = 1
    rank: int = 0


def one_carrier(name: str, settings: CarrierSettings, *, is_sandbox: bool) -> CarrierPlan:
    """The plan of a service with a single carrier."""
    return CarrierPlan((CarrierSpec(name, settings, is_sandbox),), only_route([name], [name] if is_sandbox else []))


def read_carriers_file(path: Path, environ: Mapping[str, str]) -> CarrierPlan:
    """The plan in a file. Raises SettingsError that names every mistake."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"MESSAGING_CARRIERS_FILE: {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"MESSAGING_CARRIERS_FILE: {path} is not TOML: {error}") from None
    problems: list[str] = []
    unknown = set(document) - {"carriers", "routes", "networks", "breaker"}
    problems += [
        f"{name}: is no table of this file; use carriers, routes, networks, breaker" for name in sorted(unknown)
    ]
    carriers = _carriers(document.get("carriers", []), environ, problems)
    routes = _routes(document, carriers, problems) if carriers else None
    breaker = _converted("breaker", document.get("breaker", {}), BreakerSettings, problems) or BreakerSettings()
    if problems or routes is None:
        raise SettingsError(f"{path} is wrong:\n  " + "\n  ".join(problems or ["carriers: there is none"]))
    return CarrierPlan(tuple(carriers), routes, breaker)


def _carriers(tables: Any, environ: Mapping[str, str], problems: list[str]) -> list[CarrierSpec]:  # noqa: ANN401 - of TOML
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        problems.append("carriers: give at least one [[carriers]] table")
        return []
    carriers: list[CarrierSpec] = []
    for number, given in enumerate(tables, start=1):
        table = dict(given)
        name, kind = table.pop("name", None), table.pop("kind", None)
        where = f"carriers {name or number}"
        if not isinstance(name, str) or not name or not name.isascii() or not name.isprintable():
            problems.append(f"carriers {number}: name is missing, or not printable ASCII")
            continue
        if name in {carrier.name for carrier in carriers}:
            problems.append(f"{where}: two carriers have this name")
        if kind not in KINDS:
            problems.append(f"{where}: kind is {kind!r}; use one of {', '.join(KINDS)}")
            continue
        is_sandbox = table.pop("sandbox", False)
        if not isinstance(is_sandbox, bool):
            problems.append(f"{where}: sandbox is {is_sandbox!r}; use true where no phone gets what it takes, or false")
        _fetch_secrets(where, table, KINDS[kind], environ, problems)
        settings = _converted(where, table, KINDS[kind], problems)
        if settings is not None:
            carriers.append(CarrierSpec(name, settings, is_sandbox is True))
    return carriers


def _fetch_secrets(
    where: str, table: dict[str, Any], kind: type[CarrierSettings], environ: Mapping[str, str], problems: list[str]
) -> None:
    """Replaces `X_env` and `X_file` by X, for every field that does not show in the repr."""
    for field in dataclasses.fields(kind):
        if field.repr:
            continue
        if field.name in table:
            problems.append(f"{where}: {field.name} is a secret; name its variable in {field.name}_env, or its file")
            del table[field.name]
        variable, file = table.pop(f"{field.name}_env", None), table.pop(f"{field.name}_file", None)
        if variable is not None:
            table[field.name] = environ.get(str(variable), "")
            if not table[field.name]:
                problems.append(f"{where}: the variable {variable} that {field.name}_env names is not set")
        elif file is not None:
            try:
                table[field.name] = Path(str(file)).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                problems.append(f"{where}: the file that {field.name}_file names cannot be read")
                table[field.name] = ""


def _converted(where: str, table: Any, kind: type[S], problems: list[str]) -> S | None:  # noqa: ANN401 - of TOML
    if not isinstance(table, dict):
        problems.append(f"{where}: is not a table")
        return None
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]  # all are dataclasses
    extra = sorted(set(table) - known)
    problems += [f"{where}: {name} is no setting; there are {', '.join(sorted(known))}" for name in extra]
    before = len(problems)
    given = {name: table[name] for name in table if name in known}
    while True:
        try:
            settings = msgspec.convert(given, kind)
        except (msgspec.ValidationError, ValueError) as error:
            problems.append(f"{where}: {_choices(error, table, kind) or error}")
            # Without a value of the wrong type, what is wrong with the others is found, too.
            place = _PLACE.search(str(error))
            if place is None or place[1] in _required(kind) or given.pop(place[1], None) is None:
                return None
        else:
            return settings if len(problems) == before else None


def _required(kind: type[S]) -> set[str]:
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]  # all are dataclasses
    missing = dataclasses.MISSING
    return {field.name for field in fields if field.default is missing and field.default_factory is missing}


def _choices(error: Exception, table: Mapping[str, Any], kind: type[S]) -> str | None:
    """What a setting may say that says something else; None when the error is another one."""
    place = _PLACE.search(str(error))
    choices = get_type_hints(kind).get(place[1]) if place else None
    if place is None or not isinstance(choices, type) or not issubclass(choices, StrEnum):
        return None
    return f"{place[1]} is {table[place[1]]!r}: use one of {', '.join(choices)}"


def _routes(document: dict[str, Any], carriers: list[CarrierSpec], problems: list[str]) -> Routes | None:
    try:
        networks = msgspec.convert(document.get("networks", {}), dict[str, list[str]])
        tables = msgspec.convert(document.get("routes", []), list[_RouteTable])
    except msgspec.ValidationError as error:
        problems.append(f"routes or networks: {error}")
        return None
    before = len(problems)
    routes = [_route(table, networks, [carrier.name for carrier in carriers], problems) for table in tables]
    sandboxes = [carrier.name for carrier in carriers if carrier.is_sandbox]
    # Where there is a real carrier, a live message at a sandbox would be charged and lost.
    live = [carrier.name for carrier in carriers if not carrier.is_sandbox] or sandboxes
    problems += [
        f"routes {route.name!r}: {leg.carrier!r} is a sandbox carrier, where live messages would be lost: leave it out"
        for route in routes
        for leg in route.legs
        if leg.carrier in sandboxes and leg.carrier not in live
    ]
    if len(problems) > before:
        return None
    if not routes or routes[-1].name != DEFAULT_ROUTE:
        routes.append(default_route(live))
    try:
        return Routes(routes, sandboxes)
    except ValueError as error:
        problems.append(f"routes: {error}")
        return None


def _route(table: _RouteTable, networks: dict[str, list[str]], carriers: list[str], problems: list[str]) -> Route:
    where = f"routes {table.name!r}"
    problems += [
        f"{where}: there is no network {name!r} under [networks]" for name in table.networks if name not in networks
    ]
    problems += [f"{where}: there is no carrier {leg.name!r}" for leg in table.carriers if leg.name not in carriers]
    problems += [
        f"{where}: weight of {leg.name!r} is {leg.weight}: use at least 1" for leg in table.carriers if leg.weight < 1
    ]
    prefixes = (*table.prefixes, *(prefix for name in table.networks for prefix in networks.get(name, [])))
    problems += [
        f"{where}: the prefix {prefix!r} is not the beginning of a number in E.164, for instance +25471"
        for prefix in prefixes
        if not prefix.startswith("+") or not prefix[1:].isdigit() or not prefix.isascii()
    ]
    if (table.prefixes or table.networks) and not prefixes:
        problems.append(f"{where}: its networks have no prefixes, so it would take every number")
    if len({leg.name for leg in table.carriers}) < len(table.carriers):
        problems.append(f"{where}: a carrier is named twice")
    return Route(
        table.name,
        tuple(Leg(leg.name, leg.weight, leg.rank) for leg in table.carriers),
        prefixes,
        frozenset(table.senders),
        frozenset(table.priorities),
    )
