"""`python -m messaging_service`: runs the service until SIGTERM or SIGINT."""

from __future__ import annotations

from messaging_service.wiring.bootstrap import serve
from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from service_kit.process import run_service


def main() -> None:
    """Runs the service with the settings of the environment."""
    run_service("messaging", MessagingSettings, serve)


if __name__ == "__main__":
    main()
