"""Asks a database of vulnerabilities about every pinned dependency of the runtime.

Exits with 1 when one is known to be vulnerable, and with 2 when pip-audit fails by itself. Where the database cannot be
reached it says so and exits with 0: a build without a network is no reason to stop, and nothing was found out.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent / "runtime.txt"
TIMEOUT_S = 300
AUDIT = (
    *(sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--require-hashes", "--disable-pip"),
    *("--vulnerability-service", "osv", "--format", "json", "--progress-spinner", "off", "--timeout", "10"),
)
UNREACHABLE = re.compile(r"\b(ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|HTTPError|ServiceError)\b")
"""In what pip-audit says when nobody answered it."""


def verdict(answer: str, complaint: str = "") -> tuple[int, str]:
    """The exit code and the words for what pip-audit printed, and for its complaint when that is no answer."""
    try:
        dependencies: list[dict[str, Any]] = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        if UNREACHABLE.search(complaint):
            return 0, "NOTICE: dependencies were not audited: the database of vulnerabilities cannot be reached"
        last = (complaint.strip().splitlines() or ["it printed nothing"])[-1]
        return 2, f"dependencies were not audited: pip-audit failed: {last}"
    found = [
        f"{each['name']} {each['version']}: {fault['id']}, fixed in {', '.join(fault['fix_versions']) or 'none'}"
        for each in dependencies
        for fault in each.get("vulns", ())
    ]
    if found:
        return 1, "vulnerable dependencies:\n  " + "\n  ".join(found)
    return 0, f"{len(dependencies)} dependencies audited, none of them is known to be vulnerable"


def main() -> int:
    """Asks, and prints the verdict."""
    try:
        asked = subprocess.run(AUDIT, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)  # noqa: S603 - ours
    except subprocess.TimeoutExpired:
        code, words = verdict("", "ReadTimeout: no answer in time")
    else:
        code, words = verdict(asked.stdout, asked.stderr)
    print(words)  # noqa: T201 - the program's answer
    return code


if __name__ == "__main__":
    sys.exit(main())
