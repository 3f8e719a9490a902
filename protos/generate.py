"""Generates what callers import under protos/gen: typed stubs from the .proto files, and the reasons of errors.

Only grpc_tools' protoc is used (buf and protoc write different descriptor bytes, so one tool
makes them all). `--check` generates into a temporary folder and fails on any difference.
"""

from __future__ import annotations

import filecmp
import json
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

from messaging_service.shared.domain import reasons as messaging
from pricing_service.domain import reasons as pricing
from service_kit.reasons import ReasonCatalogue

PROTOS = Path(__file__).parent
GENERATED = PROTOS / "gen"
SCRIPTS = Path(sys.executable).parent
REASONS = {"messaging": messaging.REASONS, "pricing": pricing.REASONS}


def generate(into: Path) -> None:
    """Writes messages, services and their type stubs for every .proto file into a folder."""
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.glob("tukupay/**/*.proto"))
    exit_code = protoc.main(
        [
            "protoc",
            f"--proto_path={PROTOS}",
            f"--proto_path={files('grpc_tools') / '_proto'}",
            f"--python_out={into}",
            f"--grpc_python_out={into}",
            f"--mypy_out=quiet:{into}",
            f"--mypy_grpc_out=quiet:{into}",
            *(f"--plugin={name}={SCRIPTS / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")),
            *sources,
        ]
    )
    if exit_code != 0:
        raise SystemExit(exit_code)
    for package in {(into / source).parent for source in sources}:
        # `tukupay` and `tukupay.sms` stay namespace packages, shared with other products.
        (package / "__init__.py").write_text("")
        (package / "py.typed").write_text("")
        (package.parent / "__init__.py").write_text("")
        (package.parent / "py.typed").write_text("")


def publish(service: str, catalogue: ReasonCatalogue, into: Path) -> None:
    """Writes the reasons that a service raises, for callers that may not import it."""
    lines = [
        f'"""Every reason of an error of the {service} service, each with one sentence. Generated; do not edit."""',
        "",
        "SENTENCES: dict[str, str] = {",
        *(f"    {json.dumps(reason)}: {json.dumps(sentence)}," for reason, sentence in catalogue.sentences.items()),
        "}",
        "",
    ]
    (into / "tukupay" / "sms" / service / "reasons.py").write_text("\n".join(lines), "utf-8")


def differences(left: Path, right: Path) -> list[str]:
    """Relative paths that are missing on either side or differ in content."""
    ignored = "__pycache__"
    names = {
        path.relative_to(root)
        for root in (left, right)
        for path in root.rglob("*")
        if path.is_file() and ignored not in path.parts
    }
    return sorted(
        str(name)
        for name in names
        if not (left / name).is_file()
        or not (right / name).is_file()
        or not filecmp.cmp(left / name, right / name, shallow=False)
    )


def main() -> None:
    """Regenerates in place, or with `--check` compares with what is committed."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        generate(fresh)
        for service, catalogue in REASONS.items():
            publish(service, catalogue, fresh)
        if "--check" in sys.argv[1:]:
            if stale := differences(fresh, GENERATED):
                raise SystemExit(
                    f"stubs differ from the protos or reasons from the services, run `make protos`: {', '.join(stale)}"
                )
            return
        shutil.rmtree(GENERATED, ignore_errors=True)
        shutil.copytree(fresh, GENERATED)


if __name__ == "__main__":
    main()
