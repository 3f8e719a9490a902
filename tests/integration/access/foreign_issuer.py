"""The identity provider of tests/peers, run by node."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ANSWER_S = 20.0


class ForeignIssuer:
    """Makes tokens with keys of its own, and publishes those over HTTP."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.port = 0

    @property
    def url(self) -> str:
        """`iss` of its tokens."""
        return f"http://localhost:{self.port}"

    @property
    def jwks_url(self) -> str:
        """Where its keys are."""
        return f"http://127.0.0.1:{self.port}/jwks"

    async def start(self, **keys: str) -> None:
        """Has these keys and no others from now on: their algorithms by kid."""
        answer = await self._ask("start", keys=[{"kid": kid, "alg": name} for kid, name in keys.items()])
        self.port = answer["port"]

    async def add(self, kid: str, algorithm: str) -> None:
        """Has one more key."""
        await self._ask("add", kid=kid, alg=algorithm)

    async def token(self, kid: str, **claims: Any) -> str:
        """A token with these claims besides `iss`, `iat`, `nbf` and `exp`."""
        answer = await self._ask("token", kid=kid, claims={"iss": self.url, **claims})
        return str(answer["token"])

    async def stop(self) -> None:
        """Listens no more; its tokens can be made no more either."""
        await self._ask("stop")

    async def _ask(self, command: str, **given: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"command": command, **given}).encode() + b"\n")
        async with asyncio.timeout(ANSWER_S):
            return json.loads(await self._process.stdout.readline())  # type: ignore[no-any-return]  # an object


@asynccontextmanager
async def foreign_issuer(folder: Path) -> AsyncIterator[ForeignIssuer]:
    """The issuer, as a process of its own."""
    process = await asyncio.create_subprocess_exec(
        "node",
        "issuer.mjs",
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "NODE_NO_WARNINGS": "1"},
    )
    try:
        yield ForeignIssuer(process)
    finally:
        process.kill()
        await process.wait()
