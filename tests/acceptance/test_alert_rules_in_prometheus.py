"""promtool, where it is found, says of each alert that it fires when it should, and not when it should not."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ALERTS = Path(__file__).parents[2] / "deploy" / "alerts"
PROMTOOL = os.environ.get("TUKUPAY_TEST_PROMTOOL") or shutil.which("promtool")

pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROMTOOL), *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_rules_are_rules_of_prometheus() -> None:
    checked = promtool("check", "rules", ALERTS / "tukupay.yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("path", sorted((ALERTS / "tests").glob("*.yaml")), ids=lambda path: path.stem)
def test_alerts_fire_and_are_silent_as_they_should(path: Path) -> None:
    tested = promtool("test", "rules", path)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_a_test_that_expects_the_wrong_thing_fails(tmp_path: Path) -> None:
    text = (
        (ALERTS / "tests" / "prices.yaml").read_text("utf-8").replace("../tukupay.yaml", str(ALERTS / "tukupay.yaml"))
    )
    (tmp_path / "wrong.yaml").write_text(text.replace("value: 1", "value: 2", 1))
    assert promtool("test", "rules", tmp_path / "wrong.yaml").returncode != 0
