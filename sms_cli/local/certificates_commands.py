"""`tukupay-sms certificates`: certificates for trying TLS."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from sms_cli.shared.terminal import out

VARIABLES_FILE = "tls.env"

certificates = typer.Typer(help="Certificates for trying TLS.", no_args_is_help=True)


@certificates.callback()
def group() -> None:
    """Certificates for trying TLS; those of production come from an authority that is guarded."""


@certificates.command("create")
def create(
    into: Annotated[Path, typer.Option(help="The folder to write to.")],
    name: Annotated[
        list[str] | None,
        typer.Option(help="A host name or address of the services besides loopback; several times for more."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=825, help="How many days they are valid.")] = 90,
) -> None:
    """Make an authority, and certificates of the gateway, messaging, pricing and an operator.

    Each holds a SPIFFE id, such as spiffe://tukupay/ns/sms/sa/gateway. Running it again renews them by the authority
    that is there; services take them while they run.
    """
    from sms_cli.local.dev_certificates import create_certificates, tls_variables  # noqa: PLC0415 - slow to import

    create_certificates(into, name or [], days)
    variables = into / VARIABLES_FILE
    lines = [f"{variable}={shlex.quote(path)}\n" for variable, path in tls_variables(into).items()]
    variables.write_text("".join(lines), encoding="utf-8")
    out.print(
        f"The certificates are in {into}, valid for {days} days; whoever has ca.key can make others.", markup=False
    )
    out.print(f"To use them everywhere: set -a; . {shlex.quote(str(variables))}; set +a", markup=False)
