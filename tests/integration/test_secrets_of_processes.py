"""What a service knows does not leave it by a core dump, by its memory or by the list of processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECRET = "pg-S3cret-0f-the-database"
GET_DUMPABLE = """
import ctypes, resource
from service_kit.private_memory import keep_memory_private
keep_memory_private()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_memory_is_neither_dumped_nor_readable_for_others() -> None:
    answered = subprocess.run(
        [sys.executable, "-c", GET_DUMPABLE], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    assert answered.stdout.strip() == "0 (0, 0)"


@pytest.mark.parametrize(
    ("module", "settings"),
    [
        ("pricing_service", {"PRICING_GRPC_ADDRESS": "127.0.0.1:0"}),
        (
            "gateway_http",
            {"GATEWAY_HTTP_ADDRESS": "127.0.0.1:0", "AFRICASTALKING_CALLBACK_SECRETS": f"{SECRET},{SECRET}2"},
        ),
    ],
)
async def test_a_service_shows_no_secret_in_the_list_of_processes_and_dumps_no_core(
    module: str, settings: dict[str, str]
) -> None:
    environment = {
        **os.environ,
        **settings,
        "PRICING_DATABASE_URL": f"postgresql://tukupay:{SECRET}@127.0.0.1:1/pricing",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module),
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        assert process.stdout is not None
        said = b""
        async with asyncio.timeout(60):
            while b".listening" not in said:
                line = await process.stdout.readline()
                assert line, said
                said += line
        proc = Path(f"/proc/{process.pid}")
        assert SECRET not in proc.joinpath("cmdline").read_text()
        (cores,) = [line for line in proc.joinpath("limits").read_text().splitlines() if "core file" in line]
        assert cores.split()[4:6] == ["0", "0"]
        # Files of a process that is not dumpable are root's, so that its own user may not read them.
        assert proc.joinpath("environ").stat().st_uid == 0
        assert SECRET.encode() not in said
    finally:
        process.terminate()
        await process.wait()
