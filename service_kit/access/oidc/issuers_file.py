"""The issuers whose tokens are taken, from a TOML file. The example in docs/examples/issuers.toml shows every table."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from service_kit.access.oidc.issuer import ALGORITHMS, ClaimPath, Grant, Issuer
from service_kit.access.scopes import SELDOM, unknown
from service_kit.identifiers import identifier_problem
from service_kit.settings import Address, SettingsError

MAX_LEEWAY_S: Final = 300.0
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_TAKEN: Final = frozenset({"spiffe", "operator", "open", "workload"})
"""Ids of callers of other kinds begin with these."""
_ALGORITHMS_RULE: Final = f"use those of {', '.join(ALGORITHMS)} that it signs with"


class _GrantTable(msgspec.Struct, forbid_unknown_fields=True):
    """[issuers.everybody], and each table under [issuers.groups]."""

    scopes: list[str] = []
    accounts: list[str] = []
    all_accounts: bool = False


class _IssuerTable(msgspec.Struct, forbid_unknown_fields=True):
    """One [[issuers]] table."""

    name: str
    issuer: str
    audiences: list[str]
    jwks_url: str
    algorithms: list[str]
    types: list[str] = []
    leeway_s: float = 30.0
    ca_file: str | None = None
    accounts_claim: str | list[str] | None = None
    app_claim: str | list[str] | None = None
    scopes_claim: str | list[str] | None = None
    groups_claim: str | list[str] | None = None
    app_id: str | None = None
    everybody: _GrantTable = msgspec.field(default_factory=_GrantTable)
    groups: dict[str, _GrantTable] = {}


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    issuers: list[_IssuerTable]


def read_issuers_file(path: Path) -> tuple[Issuer, ...]:
    """The issuers in a file. Raises SettingsError that names every mistake."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"the issuers file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"the issuers file {path} is not UTF-8") from None
    try:
        document = msgspec.convert(tomllib.loads(text), _Document)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"the issuers file {path} is not TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise SettingsError(f"the issuers file {path} is wrong: {error}") from None
    problems = [f"issuers {table.name!r}: {problem}" for table in document.issuers for problem in _problems_of(table)]
    if not document.issuers:
        problems.append("issuers: give at least one [[issuers]] table")
    problems += _repeated("name", [table.name for table in document.issuers])
    problems += _repeated("issuer", [table.issuer for table in document.issuers])
    if problems:
        raise SettingsError(f"the issuers file {path} is wrong:\n  " + "\n  ".join(problems))
    return tuple(_to_issuer(table) for table in document.issuers)


def _problems_of(table: _IssuerTable) -> list[str]:
    problems = [
        problem
        for problem, is_wrong in (
            (
                "name is not 1 to 32 small letters, digits and hyphens that begin with a letter, "
                f"or is one of {', '.join(sorted(_TAKEN))}",
                not _NAME.fullmatch(table.name) or table.name in _TAKEN,
            ),
            ("issuer is empty; give `iss` of its tokens", not table.issuer),
            (
                "audiences is empty or has an empty one; give the name of this system at the issuer",
                not (table.audiences and all(table.audiences)),
            ),
            (f"algorithms is empty; {_ALGORITHMS_RULE}", not table.algorithms),
            (
                f"leeway_s is {table.leeway_s:g}; use 0 to {MAX_LEEWAY_S:g}",
                not 0 <= table.leeway_s <= MAX_LEEWAY_S,
            ),
            (
                "groups are given a meaning, but groups_claim does not say which claim names them",
                bool(table.groups) and table.groups_claim is None,
            ),
        )
        if is_wrong
    ]
    if (problem := _url_problem(table.jwks_url)) is not None:
        problems.append(f"jwks_url {problem}")
    if table.app_id is not None and (problem := identifier_problem(table.app_id)) is not None:
        problems.append(f"app_id {problem}")
    problems += [f"algorithms has {name!r}; {_ALGORITHMS_RULE}" for name in table.algorithms if name not in ALGORITHMS]
    problems += [
        f"{name} is empty; give the name of a claim, or the list of names that leads to one"
        for name in ("accounts_claim", "app_claim", "scopes_claim", "groups_claim")
        if _is_empty(getattr(table, name))
    ]
    problems += _grant_problems("everybody", table.everybody)
    for name, grant in table.groups.items():
        problems += _grant_problems(f"groups.{name}", grant)
    return problems


def _is_empty(claim: str | list[str] | None) -> bool:
    return claim is not None and not (claim and all([claim] if isinstance(claim, str) else claim))


def _grant_problems(where: str, grant: _GrantTable) -> list[str]:
    scopes = frozenset(grant.scopes)
    problems = [f"{where}: {scope!r} is no scope" for scope in unknown(scopes)]
    problems += [f"{where}: {scope!r} is for programs of the platform, never for tokens" for scope in scopes & SELDOM]
    problems += [
        f"{where}: the account {account!r} {problem}"
        for account in grant.accounts
        if (problem := identifier_problem(account)) is not None
    ]
    if grant.all_accounts and grant.accounts:
        problems.append(f"{where}: names accounts beside all_accounts; leave one of them out")
    return problems


def _url_problem(text: str) -> str | None:
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError:
        host, port, url = None, None, urlsplit("")
    if not host or url.scheme not in {"https", "http"} or url.username or url.password or url.fragment:
        return "is not https://host/path, without user and fragment"
    if url.scheme == "http" and not Address(host, port or 80).is_loopback:
        return "is http, which serves on this machine only; use https"
    return None


def _repeated(field: str, values: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    repeated: set[str] = set()
    for value in values:
        (repeated if value in seen else seen).add(value)
    return [f"issuers: two have the {field} {value!r}" for value in sorted(repeated)]


def _to_issuer(table: _IssuerTable) -> Issuer:
    return Issuer(
        name=table.name,
        issuer=table.issuer,
        audiences=tuple(table.audiences),
        jwks_url=table.jwks_url,
        algorithms=tuple(table.algorithms),
        types=tuple(name.lower().removeprefix("application/") for name in table.types),
        leeway_s=table.leeway_s,
        ca_file=table.ca_file,
        accounts_claim=_to_path(table.accounts_claim),
        app_claim=_to_path(table.app_claim),
        scopes_claim=_to_path(table.scopes_claim),
        groups_claim=_to_path(table.groups_claim),
        groups={name: _to_grant(grant) for name, grant in table.groups.items()},
        everybody=_to_grant(table.everybody),
        app_id=table.app_id,
    )


def _to_path(given: str | list[str] | None) -> ClaimPath | None:
    if given is None:
        return None
    return (given,) if isinstance(given, str) else tuple(given)


def _to_grant(table: _GrantTable) -> Grant:
    return Grant(frozenset(table.scopes), frozenset(table.accounts), table.all_accounts)
