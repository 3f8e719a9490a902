"""What the wheel has: all of the product's files, among them those that are no modules, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_the_wheel_has_every_file_of_the_product_and_no_other(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    (wheel,) = tmp_path.glob(f"tukupay_sms-{PROJECT['project']['version']}-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    folders = [Path(name) for name in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]
    product = {
        path.relative_to(ROOT / folder.parent).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == product
    for needed in (
        "messaging_service/migrations/versions/0001_accounts.py",
        "pricing_service/migrations/versions/0001_cost_and_price_epoch.py",
        "gateway_http/system/static/docs.html",
        "tukupay/sms/messaging/v1/py.typed",
    ):
        assert needed in packed


def test_one_place_says_which_version_this_is() -> None:
    version = PROJECT["project"]["version"]
    assert f"tukupay-sms:{version}" in (ROOT / "deploy/compose.yaml").read_text("utf-8")
