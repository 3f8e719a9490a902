"""The addresses of the parts of a system, how commands call them, and the home folder of a local one."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service_kit.settings import (
    FILE_SUFFIX,
    Address,
    SettingsError,
    address,
    env_of,
    group,
    load,
    secret_of,
    setting,
)
from service_kit.tls.proxied import proxy
from service_kit.tls.tls_settings import KEY, ClientTls, calling_problems

RUNNING_FILE = "running.env"
DEFAULT_HOME = Path(".tukupay")
_CHECKOUT = Path(__file__).parents[2]
DATABASE_VARIABLES = {"pricing": "PRICING_DATABASE_URL", "messaging": "MESSAGING_DATABASE_URL"}
"""The setting that names the database of each service."""
DIRECT_VARIABLES = {"pricing": "PRICING_DATABASE_DIRECT_URL", "messaging": "MESSAGING_DATABASE_DIRECT_URL"}
"""The setting that names the same database past a connection pooler, or as a role that may change tables."""


def fixed_address(text: str) -> Address:
    """An address with a fixed port; raises ValueError."""
    parsed = address(text)
    if parsed.port == 0:
        raise ValueError("port 0 is not an address that the other parts could be told; choose one from 1")
    return parsed


def _address(env: str, description: str, port: int) -> Any:  # noqa: ANN401 - declares a field, as `setting` does
    return setting(env, description, parse=fixed_address, default=Address("127.0.0.1", port))


@dataclass(frozen=True, slots=True)
class CommandTls(ClientTls):
    """TLS of the calls of commands."""

    is_proxied: bool = setting(
        "TUKUPAY_TLS",
        "`proxy` where the network to the services is protected otherwise",
        parse=proxy,
        default=False,
        default_text="none",
    )
    authorities: Path | None = setting(
        "TUKUPAY_TLS_CA_FILE",
        "PEM file of the authorities of the services' certificates; commands then speak TLS",
        parse=Path,
        default=None,
    )
    certificate: Path | None = setting(
        "TUKUPAY_TLS_CERT_FILE",
        "PEM file of the certificate that commands show to the services",
        parse=Path,
        default=None,
    )
    key: Path | None = setting("TUKUPAY_TLS_KEY_FILE", KEY, parse=Path, default=None)


TLS_VARIABLES = tuple(env_of(CommandTls, name) for name in ("authorities", "certificate", "key"))
"""What commands need to call services over TLS."""


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """What `tukupay-sms up` starts where, and where the other commands find it.

    The calls declare fields, as dataclasses.field does.
    """

    home: Path = setting("TUKUPAY_HOME", "folder for data and logs", parse=Path, default=DEFAULT_HOME)
    token: str | None = setting("TUKUPAY_TOKEN", "what commands show to the services", default=None, secret=True)
    pricing: Address = _address("PRICING_GRPC_ADDRESS", "gRPC of pricing", 50051)  # noqa: RUF009
    messaging: Address = _address("MESSAGING_GRPC_ADDRESS", "gRPC of messaging", 50052)  # noqa: RUF009
    gateway: Address = _address("GATEWAY_HTTP_ADDRESS", "HTTP of the gateway", 8080)  # noqa: RUF009
    sandbox_smpp: Address = _address("SANDBOX_SMPP_ADDRESS", "SMPP of the sandbox", 2775)  # noqa: RUF009
    sandbox_http: Address = _address("SANDBOX_HTTP_ADDRESS", "page of the sandbox", 8090)  # noqa: RUF009
    pricing_metrics: Address = _address("PRICING_METRICS_ADDRESS", "figures of pricing", 9151)  # noqa: RUF009
    messaging_metrics: Address = _address("MESSAGING_METRICS_ADDRESS", "figures of messaging", 9152)  # noqa: RUF009
    gateway_metrics: Address = _address("GATEWAY_METRICS_ADDRESS", "figures of the gateway", 9153)  # noqa: RUF009

    tls: CommandTls = group(CommandTls, default=CommandTls())

    @property
    def gateway_url(self) -> str:
        """Where the gateway answers, without a path."""
        return f"{'http' if self.tls.files is None else 'https'}://{self.gateway}"

    def listening(self) -> dict[str, Address]:
        """Every address on which something will listen, by the name of its setting."""
        return {
            "PRICING_GRPC_ADDRESS": self.pricing,
            "MESSAGING_GRPC_ADDRESS": self.messaging,
            "GATEWAY_HTTP_ADDRESS": self.gateway,
            "SANDBOX_SMPP_ADDRESS": self.sandbox_smpp,
            "SANDBOX_HTTP_ADDRESS": self.sandbox_http,
            "PRICING_METRICS_ADDRESS": self.pricing_metrics,
            "MESSAGING_METRICS_ADDRESS": self.messaging_metrics,
            "GATEWAY_METRICS_ADDRESS": self.gateway_metrics,
        }


@dataclass(frozen=True, slots=True)
class UpSettings(LocalSettings):
    """The same for `up`, whose parts no other machine may reach."""

    @classmethod
    def cross_check(cls, values: Mapping[str, object]) -> list[str]:
        """Which addresses other machines could reach."""
        return [
            f"{env_of(cls, name)}: {value} is reachable from other machines, and `up` is for this one: use 127.0.0.1, "
            "or run the services one by one (`tukupay-sms serve`) with authentication and TLS"
            for name, value in values.items()
            if isinstance(value, Address) and not value.is_loopback
        ]


def client_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for commands that talk to a running system.

    What `up` wrote to the home folder stands in for variables that are not set. Without TUKUPAY_HOME the home is what
    `running_home` finds. Raises SettingsError when TUKUPAY_HOME or the file with a database's URL is at fault.
    """
    given = environ.get("TUKUPAY_HOME")
    home = Path(given) if given else running_home()
    own = {name: text for name, text in environ.items() if text}
    return {**read_running_file(home / RUNNING_FILE), **with_database_urls(own)}


def with_database_urls(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment, with the URLs of databases in place of the variables that name their files.

    Raises SettingsError that names every file that cannot be used.
    """
    found, problems = dict(environ), list[str]()
    for name in (*DATABASE_VARIABLES.values(), *DIRECT_VARIABLES.values()):
        try:
            url = secret_of(environ, name)
        except ValueError as error:
            problems.append(f"{name}: {error}")
            continue
        if found.pop(name + FILE_SUFFIX, None):
            found[name] = url
    _refuse(problems)
    return found


def running_home(folder: Path | None = None) -> Path:
    """The home of the running system, seen from a folder (None: the current one).

    It is below that folder or one above it, or below the checkout of this program; the default home when nothing runs
    in any of them.
    """
    here = (folder or Path.cwd()).absolute()
    for root in (here, *here.parents, _CHECKOUT):
        if (root / DEFAULT_HOME / RUNNING_FILE).is_file():
            return root / DEFAULT_HOME
    return DEFAULT_HOME


def client_settings(environ: Mapping[str, str] = os.environ) -> LocalSettings:
    """The settings for commands that talk to a running system.

    Raises SettingsError when calls would go to another machine in plaintext.
    """
    settings = load(LocalSettings, client_environment(environ))
    if settings.tls.files is None and not settings.tls.is_proxied:
        called = {"PRICING_GRPC_ADDRESS": settings.pricing, "MESSAGING_GRPC_ADDRESS": settings.messaging}
        for variable, service in called.items():
            _refuse(calling_problems("TUKUPAY", variable, service, {}))
    return settings


def _refuse(problems: list[str]) -> None:
    if problems:
        raise SettingsError("settings are wrong:\n  " + "\n  ".join(problems))


def read_running_file(path: Path) -> dict[str, str]:
    """The variables in a file that `write_running_file` made; none when there is no such file."""
    try:
        words = shlex.split(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return dict(word.split("=", 1) for word in words if "=" in word)


def write_running_file(path: Path, variables: Mapping[str, str]) -> None:
    """Writes variables in a form that a shell can read (`set -a; . FILE`), readable by our user alone."""
    lines = [f"{name}={shlex.quote(text)}\n" for name, text in sorted(variables.items())]
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text("".join(lines), encoding="utf-8")
