"""`python -m pricing_service`: runs the service until SIGTERM or SIGINT."""

from __future__ import annotations

from pricing_service.bootstrap import serve
from pricing_service.settings import PricingSettings
from service_kit.process import run_service


def main() -> None:
    """Runs the service with the settings of the environment."""
    run_service("pricing", PricingSettings, serve)


if __name__ == "__main__":
    main()
