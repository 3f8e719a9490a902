"""Callers that a test's service knows, by tokens in a file of identities."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service_kit.access import bearer_tokens
from service_kit.access.principal import Principal
from service_kit.access.principal_messages import METADATA_KEY, from_principal

Metadata = tuple[tuple[str, str | bytes], ...]


@dataclass
class KnownCallers:
    """A file of identities that tests add to."""

    path: Path
    tokens: dict[str, str] = field(default_factory=dict)
    _entries: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def add(
        self, name: str, *scopes: str, accounts: str | list[str] = "all", kind: str = "operator", **fields: Any
    ) -> Metadata:
        """A new caller; what its calls show."""
        token = bearer_tokens.generate()
        self.tokens[name] = token.text
        self._entries[name] = {
            "name": name,
            "kind": kind,
            "token_sha256": [token.sha256],
            "scopes": list(scopes),
            "accounts": accounts,
            **fields,
        }
        self._write()
        return showing(token.text)

    def remove(self, name: str) -> None:
        """Its token is valid no longer, as soon as the service reads the file again."""
        del self._entries[name]
        self._write()

    def _write(self) -> None:
        tables = (
            "[[identity]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in entry.items())
            for entry in self._entries.values()
        )
        new = self.path.with_suffix(".new")
        new.write_text("\n".join(tables), encoding="utf-8")
        new.rename(self.path)


def showing(token: str) -> Metadata:
    """What a call shows with a token."""
    return (("authorization", f"Bearer {token}"),)


def asserting(principal: Principal) -> Metadata:
    """What a call says besides of whom it is made for."""
    return ((METADATA_KEY, from_principal(principal).SerializeToString()),)
