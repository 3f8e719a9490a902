"""A consumer that installed the distribution without extras sends, and reads what is wrong with a request."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution, distribution, requires
from pathlib import Path
from uuid import UUID

from service_kit.errors import Violation, invalid
from service_kit.grpc.grpc_server import GrpcServer
from service_kit.settings import Address
from tests.doubles.gateway_doubles import MESSAGING, MessagingDouble, entry_of
from tukupay.sms.messaging.v1 import messaging_pb2, messaging_pb2_grpc

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "send_over_grpc.py"
# Stands for an installation: grpcio and google are found in it, and nothing that only the extras bring.
START = "import runpy, sys; sys.path[:0] = sys.argv[1:3]; runpy.run_path(sys.argv[3], run_name='__main__')"


class Refusing(MessagingDouble):
    """Accepts every SMS but those to numbers that are too short, as the service does."""

    async def SendSms(self, request: messaging_pb2.SendSmsRequest, context: object) -> messaging_pb2.SendSmsResponse:  # noqa: N802
        if len(request.recipient_phone_number) < 13:
            raise invalid([Violation("recipient_phone_number", "INVALID_PHONE_NUMBER", "is too short")])
        return messaging_pb2.SendSmsResponse(entry=entry_of(request))


def base_distributions() -> dict[str, Distribution]:
    """What the distribution needs without its extras, and what that needs in turn, by name."""
    needed = list(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"])
    found: dict[str, Distribution] = {}
    while needed:
        name = re.split(r"[^\w.-]", needed.pop(), maxsplit=1)[0].lower().replace("_", "-")
        if name not in found:
            found[name] = distribution(name)
            needed += [line for line in requires(name) or () if "extra ==" not in line]
    return found


def install(distributions: list[Distribution], folder: Path) -> None:
    """Lays out the files of distributions as an installer does, by links."""
    for each in distributions:
        for file in each.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                link = folder / file
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(Path(str(each.locate_file(file))))


async def test_the_bare_install_reads_the_reason_and_the_fields_of_an_error(tmp_path: Path) -> None:
    install(list(base_distributions().values()), tmp_path)
    server = GrpcServer(Address("127.0.0.1", 0), [MESSAGING])
    messaging_pb2_grpc.add_MessagingServiceServicer_to_server(Refusing(), server.grpc)
    await server.start()
    try:
        finished = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-S", "-c", START, str(tmp_path), str(ROOT / "protos" / "gen"), str(EXAMPLE)],
            env={"MESSAGING_GRPC_ADDRESS": f"127.0.0.1:{server.port}", "NO_PROXY": "127.0.0.1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        await server.stop(0)
    assert finished.returncode == 0, finished.stderr
    lines = finished.stdout.splitlines()
    assert "DELIVERY_STATE_ACCEPTED KES 0.6" in lines[0]
    assert lines[1].startswith("INVALID_ARGUMENT - recipient_phone_number: is too short")
    fault, request = lines[2].rsplit(", request ", 1)
    assert fault == "reason INVALID_ARGUMENT, field recipient_phone_number: INVALID_PHONE_NUMBER"
    assert UUID(request).version == 7
    assert lines[3] == "500 of 500 sent"


def test_the_bare_install_is_small() -> None:
    assert set(base_distributions()) == {
        "googleapis-common-protos",
        "grpcio",
        "grpcio-status",
        "protobuf",
        "typing-extensions",
    }
