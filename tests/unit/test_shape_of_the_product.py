"""What keeps files easy to find: small folders, a shared part that stays small, and names that stand for one file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("service_kit", "pricing_service", "messaging_service", "gateway_http", "sandbox_carriers", "sms_cli")
MOST_MODULES = 25
"""In one folder; more are no overview any more."""
MOST_SHARED_LINES = 2_500
"""Of messaging's shared: what one room alone needs belongs to that room."""
ONE_A_SERVICE = {"bootstrap.py", "conftest.py", "migrate.py", "reasons.py", "settings.py"}
"""Names that mean the same in each part of the product, beside those with underscores around them."""


def modules() -> list[Path]:
    return [
        path
        for name in PRODUCT
        for path in sorted((ROOT / name).rglob("*.py"))
        if "versions" not in path.parts and not path.name.startswith("__")
    ]


def test_no_folder_has_more_modules_than_one_can_overlook() -> None:
    folders = Counter(path.parent.relative_to(ROOT).as_posix() for path in modules())
    assert {folder: count for folder, count in folders.items() if count > MOST_MODULES} == {}


def test_what_rooms_share_stays_small() -> None:
    shared = (ROOT / "messaging_service" / "shared").rglob("*.py")
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in shared) < MOST_SHARED_LINES


def test_a_file_is_found_by_its_name() -> None:
    files: dict[str, list[str]] = {}
    for path in modules():
        files.setdefault(path.name, []).append(path.relative_to(ROOT).as_posix())
    assert {name: found for name, found in files.items() if len(found) > 1 and name not in ONE_A_SERVICE} == {}
