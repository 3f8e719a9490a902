"""The console script `tukupay-sms`."""

from __future__ import annotations

import sys
from importlib.metadata import version


def main() -> None:
    """Runs the command line; exits with 2 when only the stubs of the package are installed."""
    _open_closed_streams()
    if sys.argv[1:] == ["--version"]:
        # Answered before anything is loaded, and also where only the stubs are installed.
        sys.stdout.write(f"tukupay-sms {version('tukupay-sms')}\n")
        return
    try:
        from sms_cli.application import run  # noqa: PLC0415 - its absence has an answer
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] in {"sms_cli", "service_kit", "tukupay"}:
            raise
        sys.stderr.write(
            f"tukupay-sms: the server part is not installed (no module {error.name}): install tukupay-sms[server]\n"
        )
        raise SystemExit(2) from None
    run()


def _open_closed_streams() -> None:
    try:
        from service_kit.standard_streams import open_closed_streams  # noqa: PLC0415 - as above
    except ModuleNotFoundError:
        return
    open_closed_streams()


if __name__ == "__main__":
    main()
