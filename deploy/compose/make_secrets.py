"""Makes the secrets that deploy/compose.yaml reads, in the folder `secrets` beside this file, on the standard library.

Run once; a folder that is there is left alone. Of the operator only the password at the carrier is asked for. The token
for the operator's commands is in `operator_token`, which no container gets.
"""

from __future__ import annotations

import argparse
import base64
import getpass
import hashlib
import json
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "secrets"
_SCOPES = {
    "gateway": ("workload", ["assert:principal", "keys:resolve", "callbacks:write"]),
    "messaging": ("workload", ["prices:read"]),
    "operator": ("operator", ["*"]),
}
"""Who calls the services, and what for (docs/guides/access.md)."""


def made(smpp_password: str, *, database: str = "postgres:5432") -> Mapping[str, str]:
    """The contents of all files by their names. `database`: host and port of PostgreSQL."""
    passwords = {name: secrets.token_hex(24) for name in ("postgres", "database_owner", "database_service")}
    tokens = {name: f"tukupay_{secrets.token_urlsafe(32)}" for name in _SCOPES}
    service, owner = f"sms:{passwords['database_service']}", f"sms_owner:{passwords['database_owner']}"
    return {
        **{f"{name}_password": password for name, password in passwords.items()},
        **{f"{name}_token": token for name, token in tokens.items()},
        **{
            f"{name}_{use}_url": f"postgresql://{login}@{database}/{name}"
            for name in ("pricing", "messaging")
            for use, login in (("database", service), ("owner", owner))
        },
        "identities.toml": "\n".join(_identity(name, token) for name, token in tokens.items()),
        "messaging_kek": f"kek-1:{base64.b64encode(secrets.token_bytes(32)).decode()}",
        "smpp_password": smpp_password,
    }


def _identity(name: str, token: str) -> str:
    kind, scopes = _SCOPES[name]
    fields = {
        "name": name,
        "kind": kind,
        "token_sha256": [hashlib.sha256(token.encode()).hexdigest()],
        "scopes": scopes,
        "accounts": "all",
    }
    # JSON's texts and lists are TOML's, too.
    return "[[identity]]\n" + "".join(f"{field} = {json.dumps(value)}\n" for field, value in fields.items())


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Writes a file for each secret; raises FileExistsError when the folder is there.

    Only our user gets into the folder. Containers are handed single files, which their own user must be able to read.
    """
    folder.mkdir(mode=0o700)
    for name, text in files.items():
        file = folder / name
        file.write_text(f"{text.rstrip()}\n", "utf-8")
        file.chmod(0o400 if name == "operator_token" else 0o444)


def main() -> int:
    """Asks for the password at the carrier (or takes a line of standard input), and writes all files."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    if FOLDER.exists():
        sys.stderr.write(f"{FOLDER} is there already, and was left as it is\n")
        return 1
    password = getpass.getpass("Password at the SMPP carrier: ") if sys.stdin.isatty() else sys.stdin.readline().strip()
    if not password:
        sys.stderr.write("a password is needed; nothing was made\n")
        return 2
    write(FOLDER, made(password))
    sys.stdout.write(f"made {FOLDER}; keep a copy of messaging_kek apart from the backups of the database\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
