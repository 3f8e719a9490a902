"""`python -m gateway_http`: runs the REST gateway."""

from __future__ import annotations

from gateway_http.bootstrap import serve
from gateway_http.settings import GatewaySettings
from service_kit.process import run_service


def main() -> None:
    """Runs until SIGTERM or SIGINT."""
    run_service("gateway_http", GatewaySettings, serve)


if __name__ == "__main__":
    main()
