"""Data keys wrapped by a transit engine of OpenBao or HashiCorp Vault, which never gives its own keys away."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
from typing_extensions import override

from service_kit.encryption.key_wrapper import KeyWrapper, WrappedKey, WrapperDownError, WrapperError

PREFIX: Final = "transit:"
"""In front of the names of its keys."""
WITHIN_S: Final = 2.0
"""How long a call may take; who waits goes on with the keys at hand, or fails."""


class Transit(KeyWrapper):
    """Implements KeyWrapper. Its keys are named `transit:<key>:v<version>`."""

    def __init__(
        self, url: str, key: str, token_file: Path, *, mount: str = "transit", ca_file: Path | None = None
    ) -> None:
        """`url`: of the server, without a path. `key`: of the engine, of type aes256-gcm96, which exists.

        `token_file` is read at each call, so that an agent may renew it. `ca_file`: the certificates that the server is
        checked against; None for those of the system. Raises ValueError when it cannot be read.
        """
        self._base = f"{url.rstrip('/')}/v1/{quote(mount, safe='')}"
        self._key = key
        self._token_file = token_file
        try:
            # Made once: it takes longer than a call.
            self._verify = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
        except OSError as error:
            raise ValueError(f"the file of certificates cannot be read: {error.strerror}") from None

    @override
    async def present(self) -> str:
        data = await self._call("GET", f"keys/{quote(self._key, safe='')}")
        return self._name(int(data["latest_version"]))

    @override
    async def wrap(self, keys: Sequence[tuple[bytes, bytes]]) -> Sequence[WrappedKey]:
        items = [{"plaintext": _b64(key), "associated_data": _b64(purpose)} for key, purpose in keys]
        results = await self._batch("encrypt", items, "ciphertext")
        return [WrappedKey(self._name(_version(text)), text.encode()) for text in results]

    @override
    async def unwrap(self, keys: Sequence[tuple[WrappedKey, bytes]]) -> Sequence[bytes]:
        items = [{"ciphertext": key.wrapped.decode(), "associated_data": _b64(purpose)} for key, purpose in keys]
        return [base64.b64decode(text) for text in await self._batch("decrypt", items, "plaintext")]

    def _name(self, version: int) -> str:
        return f"{PREFIX}{self._key}:v{version}"

    async def _batch(self, verb: str, items: list[dict[str, str]], wanted: str) -> list[str]:
        data = await self._call("POST", f"{verb}/{quote(self._key, safe='')}", {"batch_input": items})
        results = data.get("batch_results", [])
        if len(results) != len(items) or not all(isinstance(result.get(wanted), str) for result in results):
            raise WrapperError("the transit engine refused a data key: it is another key's, or was changed")
        return [result[wanted] for result in results]

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            headers = {"X-Vault-Token": self._token_file.read_text(encoding="utf-8").strip()}
        except OSError as error:
            raise WrapperDownError(f"the file of the transit engine's token cannot be read: {error.strerror}") from None
        try:
            async with httpx.AsyncClient(verify=self._verify, timeout=WITHIN_S, trust_env=False) as http:
                answer = await http.request(method, f"{self._base}/{path}", headers=headers, json=body)
        except httpx.HTTPError as error:
            raise WrapperDownError(f"the transit engine does not answer ({type(error).__name__})") from None
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise WrapperError("the transit engine refused a data key: it is another key's, or was changed")
        if answer.status_code != httpx.codes.OK:
            raise WrapperDownError(f"the transit engine answers with status {answer.status_code}")
        return _data(answer)


def _data(answer: httpx.Response) -> dict[str, Any]:
    try:
        data = answer.json()["data"]
    except (ValueError, KeyError, TypeError):
        data = None
    if not isinstance(data, dict):
        raise WrapperDownError("the transit engine's answer has no data")
    return data


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _version(ciphertext: str) -> int:
    """The version of the engine's key in a ciphertext, `vault:v1:…`."""
    parts = ciphertext.split(":", 2)
    if len(parts) != 3 or not parts[1].startswith("v") or not parts[1][1:].isdigit():
        raise WrapperDownError("the transit engine's answer is no ciphertext")
    return int(parts[1][1:])
