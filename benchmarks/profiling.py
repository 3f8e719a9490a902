"""Where the Python processes spend their time: samples by py-spy, added up by function and by library."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from service_kit.embedded.bound_process import bound_command

SAMPLES_A_SECOND = 200
_SLACK_S = 20.0
_SHOWN = 20

_FRAME = re.compile(r"(?P<function>.*) \((?P<file>.*?)(:\d+)?\)")
_LIBRARY = re.compile(r".*(?:site|dist)-packages/(?P<name>[^/.]+)")
_ROOT = f"{Path(__file__).parent.parent}/"
_START = re.compile(
    r"<frozen |/__main__\.py|/asyncio/runners\.py|/uvloop/__init__\.py|/threading\.py|/service_kit/process\.py"
)
"""Frames under everything, which explain nothing."""
_WAITING = frozenset({"epoll_wait", "epoll_pwait", "poll", "select", "futex_wait", "pthread_cond_timedwait"})
"""A thread seen here does nothing."""
_COLLECTING = "gc_collect_main"
_LOOP_SOURCES = re.compile(
    r"(loop|core|linux|stream|tcp|unix|timer|async|fs|udp|loop-watcher|queue|heap-inl|_asynciomodule)\.[ch]"
)
_LOOP = "event loop"
_REST = "interpreter and C library"


class Profile(msgspec.Struct, frozen=True):
    """Of one process; shares are of its samples on a processor, idle ones do not count."""

    part: str
    samples: int
    libraries: dict[str, float]
    """Share of samples by the innermost library on the stack, C code included, most first."""
    own: dict[str, float]
    """Share of samples by the innermost Python function, with the C code that it calls, most first."""
    native: dict[str, float]
    """Share of samples by the innermost C function, most first."""
    inclusive: dict[str, float]
    """Share of samples with a Python function anywhere on the stack, most first."""


class Recording:
    """py-spy at work on some processes."""

    def __init__(self, pids: Mapping[str, int], seconds: float, folder: Path) -> None:
        """`folder` takes the samples."""
        self._pids = pids
        self._seconds = seconds
        self._folder = folder
        self._recorders: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Starts to sample, for the given time. Raises RuntimeError without py-spy."""
        program = Path(sys.executable).with_name("py-spy")
        found = str(program) if program.exists() else shutil.which("py-spy")
        if found is None:
            raise RuntimeError("py-spy is not installed; it comes with the development environment")
        for part, pid in self._pids.items():
            command = [found, "record", "--pid", str(pid), "--format", "raw", "--full-filenames"]
            command += ["--rate", str(SAMPLES_A_SECOND), "--duration", str(max(1, int(self._seconds)))]
            command += ["--output", str(self._file(part)), "--native"]
            self._recorders[part] = subprocess.Popen(
                bound_command(command, death_signal=signal.SIGTERM),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors(part).open("wb"),
            )

    async def finish(self) -> list[Profile]:
        """Waits for the samples; a process that could not be watched is left out, with a word on standard error."""
        profiles: list[Profile] = []
        for part, recorder in self._recorders.items():
            try:
                await asyncio.to_thread(recorder.wait, self._seconds + _SLACK_S)
            except subprocess.TimeoutExpired:
                self.stop()
            if self._file(part).exists():
                profiles.append(summarize(part, self._file(part).read_text().splitlines()))
            else:
                sys.stderr.write(f"no profile of {part}: {self._errors(part).read_text(errors='replace')}\n")
        return profiles

    def stop(self) -> None:
        """Ends what is still sampling."""
        for recorder in self._recorders.values():
            if recorder.poll() is None:
                recorder.terminate()
                recorder.wait()

    def _file(self, part: str) -> Path:
        return self._folder / f"{part}.raw"

    def _errors(self, part: str) -> Path:
        return self._folder / f"{part}.err"


def summarize(part: str, stacks: Iterable[str]) -> Profile:
    """Adds up lines of `outermost;…;innermost count`."""
    total = 0
    libraries: Counter[str] = Counter()
    own: Counter[str] = Counter()
    native: Counter[str] = Counter()
    inclusive: Counter[str] = Counter()
    for line in stacks:
        stack, _, count_text = line.rpartition(" ")
        count = int(count_text)
        frames = [_frame(text) for text in stack.split(";")]
        innermost = frames[-1]
        if innermost.function in _WAITING:
            continue
        total += count
        libraries[_library_of(frames)] += count
        python = [frame for frame in frames if frame.is_python and not _START.search(frame.file)]
        own[python[-1].label if python else _LOOP] += count
        if not innermost.is_python:
            native[innermost.label] += count
        # Once a sample, also when a function is on the stack several times.
        for label in {frame.label for frame in python}:
            inclusive[label] += count
    shares = [
        {name: round(count / total, 4) for name, count in counter.most_common(limit)}
        for counter, limit in ((libraries, _SHOWN), (own, _SHOWN), (native, _SHOWN), (inclusive, 2 * _SHOWN))
    ]
    return Profile(part, total, *shares)


def report(profiles: Iterable[Profile], heading: str) -> str:
    """The profiles as text."""
    lines = [heading, f"Shares of samples, {SAMPLES_A_SECOND} a second, in which a thread did not wait for events."]
    for profile in profiles:
        lines += ["", f"== {profile.part}: {profile.samples} samples"]
        for title, shares in (
            ("by innermost library", profile.libraries),
            ("by innermost Python function, with the C code that it calls", profile.own),
            ("by innermost C function", profile.native),
            ("by Python function, with all that it calls", profile.inclusive),
        ):
            lines += ["", f"  {title}", *(f"  {share:7.1%}  {name}" for name, share in shares.items())]
    return "\n".join(lines) + "\n"


class _Frame(NamedTuple):
    function: str
    file: str

    @property
    def is_python(self) -> bool:
        return self.file.endswith(".py") or self.file.startswith("<")

    @property
    def library(self) -> str | None:
        """The package that it belongs to; None for the interpreter and the C library."""
        library = _LIBRARY.match(self.file)
        if library is not None:
            return library["name"]
        if self.file.startswith(_ROOT):
            return f"ours: {self.file.removeprefix(_ROOT).partition('/')[0]}"
        if _LOOP_SOURCES.fullmatch(self.file) or "/asyncio/" in self.file:
            return _LOOP
        return None

    @property
    def label(self) -> str:
        """With the file in short."""
        library = _LIBRARY.match(self.file)
        if library is not None:
            return f"{self.function} ({self.file[library.start('name') :]})"
        if self.file.startswith(_ROOT):
            return f"{self.function} ({self.file.removeprefix(_ROOT)})"
        return f"{self.function} ({Path(self.file).name})"


def _frame(text: str) -> _Frame:
    match = _FRAME.fullmatch(text)
    return _Frame(match["function"], match["file"]) if match else _Frame(text, "")


def _library_of(frames: Sequence[_Frame]) -> str:
    if any(frame.function == _COLLECTING for frame in frames):
        return "garbage collection"
    return next((library for frame in reversed(frames) if (library := frame.library)), _REST)
