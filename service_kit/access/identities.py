"""The platform's own programs and its operators: who they are, how they are known, and what they may do.

They are written in a file of TOML, a table for each:

    [[identity]]
    name = "gateway"
    kind = "workload"                               # or "operator"
    uri = "spiffe://tukupay/ns/sms/sa/gateway"      # of its certificate
    token_sha256 = ["9f86d081…"]                    # of its tokens, two while one replaces the other
    scopes = ["assert:principal", "keys:resolve"]
    accounts = "all"                                # or a list
    app = "wallet"                                  # optional
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any, Final

from service_kit.access.bearer_tokens import digest
from service_kit.access.principal import Accounts, Principal, PrincipalKind
from service_kit.access.scopes import SELDOM, unknown
from service_kit.identifiers import identifier_problem

ALL: Final = "all"
MAX_ACCOUNTS: Final = 1_000
"""Of one identity by name; one for more is for all."""

_KINDS: Final = {"workload": PrincipalKind.WORKLOAD, "operator": PrincipalKind.OPERATOR}
_FIELDS: Final = frozenset({"name", "kind", "uri", "token_sha256", "scopes", "accounts", "app"})
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_URI: Final = re.compile(r"spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)+")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class IdentitiesError(Exception):
    """A file of identities is malformed; the message names every fault, and no part of a token."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One program or operator, and by what it is known."""

    principal: Principal
    uri: str | None
    """The URI in its certificate; None when it shows none."""
    token_digests: tuple[bytes, ...]
    """SHA-256 of the tokens that are valid; empty when it has none."""


class Identities:
    """Those that a service knows. It never changes: a new file makes a new one."""

    def __init__(self, identities: Iterable[Identity] = ()) -> None:
        """No two of them share a URI or a token."""
        known = list(identities)
        self._by_uri: Mapping[str, Principal] = {each.uri: each.principal for each in known if each.uri is not None}
        self._by_digest = [(known_digest, each.principal) for each in known for known_digest in each.token_digests]
        self.count: Final = len(known)

    def of_uri(self, uri: str) -> Principal | None:
        """Whose certificate has that URI; None when nobody's has."""
        return self._by_uri.get(uri)

    def of_token(self, token: str) -> Principal | None:
        """Whose token it is; None when it is nobody's. It takes the same time whoever's it is."""
        shown = digest(token)
        found: Principal | None = None
        for known, principal in self._by_digest:
            if compare_digest(known, shown):
                found = principal
        return found


NOBODY: Final = Identities()


def read_identities(text: str) -> Identities:
    """The identities in the text of a file. Raises IdentitiesError that names every fault."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise IdentitiesError(f"is no TOML: {error}") from None
    problems = [f"{name!r} is not known here; write tables [[identity]]" for name in document if name != "identity"]
    tables = document.get("identity", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise IdentitiesError("`identity` is no list of tables; write [[identity]] above each")
    identities: list[Identity] = []
    for number, table in enumerate(tables, 1):
        reader = _Table(table)
        identities.append(reader.read())
        problems += [f"identity {number} ({reader.label}): {problem}" for problem in reader.problems]
    problems += _shared(identities)
    if problems:
        raise IdentitiesError("\n  ".join(problems))
    return Identities(identities)


class _Table:
    """Reads one table, and collects what is wrong with it."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._table = table
        self.problems: list[str] = []

    @property
    def label(self) -> str:
        return repr(self._table.get("name", "without a name"))

    def read(self) -> Identity:
        """The identity; it means nothing when there are problems."""
        self.problems += [f"{name!r} is no field of it" for name in self._table if name not in _FIELDS]
        kind = _KINDS.get(self._text("kind", ""), None)
        if kind is None:
            self.problems.append('kind is neither "workload" nor "operator"')
            kind = PrincipalKind.OPERATOR
        uri = self._uri()
        digests = self._digests()
        if uri is None and not digests:
            self.problems.append("has neither a uri nor a token_sha256, so nobody can be it")
        principal = Principal(
            id=f"{kind}:{self._name()}",
            kind=kind,
            accounts=self._accounts(),
            scopes=self._scopes(kind),
            app_id=self._app(),
        )
        return Identity(principal, uri, digests)

    def _name(self) -> str:
        name = self._text("name", "")
        if _NAME.fullmatch(name) is None:
            self.problems.append("name is not 1 to 63 of a-z, 0-9, '.', '_' and '-', the first a letter or digit")
        return name

    def _uri(self) -> str | None:
        if "uri" not in self._table:
            return None
        uri = self._text("uri", "")
        if _URI.fullmatch(uri) is None:
            self.problems.append("uri is not spiffe://<domain>/<path>, for instance spiffe://tukupay/ns/sms/sa/gateway")
        return uri

    def _digests(self) -> tuple[bytes, ...]:
        found = self._texts("token_sha256", [])
        if not all(_SHA256.fullmatch(each) for each in found):
            self.problems.append(
                "token_sha256 has something other than 64 hexadecimal digits in lower case; "
                "`tukupay-sms tokens create` prints them"
            )
            return ()
        return tuple(bytes.fromhex(each) for each in found)

    def _scopes(self, kind: PrincipalKind) -> frozenset[str]:
        scopes = frozenset(self._texts("scopes", []))
        if not scopes:
            self.problems.append('scopes is empty; name some, or ["*"] for all')
        if strange := unknown(scopes):
            self.problems.append(f"scopes has {', '.join(map(repr, strange))}, which are no scopes")
        if kind is PrincipalKind.OPERATOR and (seldom := sorted(scopes & SELDOM)):
            self.problems.append(f"scopes has {', '.join(seldom)}, which only workloads may have")
        return scopes

    def _accounts(self) -> Accounts:
        accounts = self._table.get("accounts")
        if accounts == ALL:
            return None
        if not isinstance(accounts, list) or not all(isinstance(each, str) for each in accounts):
            self.problems.append('accounts is neither "all" nor a list of accounts')
            return frozenset()
        if not 1 <= len(accounts) <= MAX_ACCOUNTS:
            self.problems.append(f'accounts has {len(accounts)} accounts; name 1 to {MAX_ACCOUNTS}, or write "all"')
        for account in accounts:
            if problem := identifier_problem(account):
                self.problems.append(f"accounts has {account!r}, which {problem}")
        return frozenset(accounts)

    def _app(self) -> str | None:
        if "app" not in self._table:
            return None
        app = self._text("app", "")
        if problem := identifier_problem(app):
            self.problems.append(f"app {problem}")
        return app

    def _text(self, name: str, default: str) -> str:
        value = self._table.get(name, default)
        if isinstance(value, str):
            return value
        self.problems.append(f"{name} is no text")
        return default

    def _texts(self, name: str, default: list[str]) -> list[str]:
        value = self._table.get(name, default)
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return value
        self.problems.append(f"{name} is no list of texts")
        return default


def _shared(identities: Iterable[Identity]) -> list[str]:
    """What two of them have in common that each must have for itself."""
    problems: list[str] = []
    seen: dict[object, str] = {}
    for identity in identities:
        owner = identity.principal.id
        marks: list[tuple[str, object]] = [("a name", owner), *(("a token", each) for each in identity.token_digests)]
        if identity.uri is not None:
            marks.append(("a uri", identity.uri))
        for what, mark in marks:
            if mark in seen:
                problems.append(f"{seen[mark]} and {owner} share {what}")
            seen[mark] = owner
    return problems
