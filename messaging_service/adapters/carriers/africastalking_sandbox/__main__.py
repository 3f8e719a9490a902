"""The sandbox as a process: `python -m messaging_service.adapters.carriers.africastalking_sandbox`."""

from __future__ import annotations

import asyncio

from messaging_service.adapters.carriers.africastalking_sandbox.sandbox import AfricasTalkingSandbox
from messaging_service.adapters.carriers.africastalking_sandbox.settings import AfricasTalkingSandboxSettings
from service_kit.process import run_service


async def serve(settings: AfricasTalkingSandboxSettings, stopping: asyncio.Event) -> None:
    """Plays the carrier until it is told to stop."""
    sandbox = AfricasTalkingSandbox(settings)
    await sandbox.start()
    try:
        await stopping.wait()
    finally:
        await sandbox.stop()


def main() -> None:
    """Runs the process."""
    run_service("africastalking-sandbox", AfricasTalkingSandboxSettings, serve)


if __name__ == "__main__":
    main()
