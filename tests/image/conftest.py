"""The image, built once, where containers can be run; `make image-test` asks for these tests, which take minutes."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.image import built_image
from tests.image.container_tools import ContainerTools, missing

collect_ignore_glob = [] if os.environ.get("TUKUPAY_TEST_IMAGE") else ["test_*.py"]


@pytest.fixture(scope="session")
def tools() -> ContainerTools:
    if (reason := missing()) is not None:
        pytest.skip(f"NOTICE: the image was not built: {reason}")
    return ContainerTools(built_image.CACHE)


@pytest.fixture(scope="session")
def image(tools: ContainerTools) -> dict[str, Any]:
    """What the registry would show of the image."""
    return built_image.build(tools)
