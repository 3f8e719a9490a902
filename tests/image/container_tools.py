"""Builds images and runs containers with buildah, podman and crun: no daemon, no registry, the network of the host."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

PROGRAMS: Final = ("mmdebstrap", "buildah", "podman", "crun", "unshare", "apt-get")
_HYBRID_CGROUPS: Final = Path("/sys/fs/cgroup/unified")
_CONTAINERS_CONF: Final = """\
[containers]
# The usual limits are above those that a machine without CAP_SYS_RESOURCE may set.
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
cgroupns = "host"
[engine]
runtime = "crun"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
# crun refuses the hybrid hierarchy; our own view of the mounts goes without it.
_WITHOUT_HYBRID: Final = (
    *("unshare", "--mount", "--propagation", "private"),
    *("sh", "-c", f'umount {_HYBRID_CGROUPS}; exec "$@"', "sh"),
)


def missing() -> str | None:
    """Why containers cannot be run here; None when they can."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"needs {', '.join(absent)} (Debian has all of them)"
    return None if os.geteuid() == 0 else "needs root, for mounts and users of its own"


class ContainerTools:
    """The programs, with their storage in a folder of the caller's, so that nothing of the machine is touched."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "home").mkdir(exist_ok=True)
        (folder / "containers.conf").write_text(_CONTAINERS_CONF)
        (folder / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\nrunroot = "{folder}/run"\ngraphroot = "{folder}/storage"\n'
        )
        self.folder = folder
        self.environment: Mapping[str, str] = {
            **os.environ,
            "HOME": str(folder / "home"),
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        }

    def command(self, *words: str) -> list[str]:
        """What to run for a command of podman or buildah; the process keeps its id all the way."""
        return [*(_WITHOUT_HYBRID if _HYBRID_CGROUPS.is_mount() else ()), *words]

    def run(self, *words: str, timeout_s: float = 120, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The finished command; with `check` it fails with what the command said."""
        done = subprocess.run(
            self.command(*words), env=self.environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        assert not check or done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done

    def inside(self, image: str, *words: str, options: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """What a command in a new container said, in the way that the chart runs them."""
        return self.run("podman", "run", "--rm", *HARDENED, *options, image, *words, check=False)


HARDENED: Final = (
    *("--network=host", "--cgroupns=host"),
    *("--read-only", "--read-only-tmpfs=false", "--tmpfs=/tmp"),
    *("--user=10001:10001", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
)
"""The security context of the chart and of deploy/compose.yaml; the seccomp profile is the default one of podman."""
