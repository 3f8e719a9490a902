"""The sandbox as a process: `python -m sandbox_carriers.africastalking`."""

from __future__ import annotations

import asyncio

from sandbox_carriers.africastalking.sandbox import AfricasTalkingSandbox
from sandbox_carriers.africastalking.sandbox_api_settings import AfricasTalkingSandboxSettings
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
