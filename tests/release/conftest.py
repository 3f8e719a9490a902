"""What `make release` built, installed as its users do; without a folder that names it there are no tests here."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("TUKUPAY_TEST_RELEASE") else ["test_*.py"]
