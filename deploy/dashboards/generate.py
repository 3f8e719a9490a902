"""Writes the dashboards beside it as JSON for Grafana; `--check` only compares."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.dashboards.model import Board, rendered
from deploy.dashboards.process_boards import ACCESS, PROCESSES
from deploy.dashboards.store_boards import MONEY, QUEUE_AND_DATABASE
from deploy.dashboards.traffic_boards import CARRIERS, NOTICES, OVERVIEW

FOLDER: Final = Path(__file__).parent
BOARDS: Final = (OVERVIEW, CARRIERS, QUEUE_AND_DATABASE, MONEY, ACCESS, NOTICES, PROCESSES)


def text_of(board: Board) -> str:
    """The JSON of a dashboard, the same bytes each time."""
    return json.dumps(rendered(board), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Writes what differs, or names it; gives the exit code."""
    wanted = {FOLDER / f"{board.name}.json": text_of(board) for board in BOARDS}
    there = {path: path.read_text("utf-8") for path in FOLDER.glob("*.json")}
    differing = sorted(path for path in wanted.keys() | there.keys() if wanted.get(path) != there.get(path))
    if arguments == ["--check"]:
        for path in differing:
            sys.stderr.write(f"deploy/dashboards/{path.name} is not what generate.py makes: run `make dashboards`\n")
        return 1 if differing else 0
    for path in differing:
        if path in wanted:
            path.write_text(wanted[path], "utf-8")
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
