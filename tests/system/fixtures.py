"""Fixtures for tests against a running system; a conftest.py takes those that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import pytest

from service_kit.embedded.embedded_postgres import EmbeddedPostgres
from tests.conftest import DatabaseTemplate
from tests.system.databases import Databases
from tests.system.privacy import leaks
from tests.system.running import System


class NewSystem(Protocol):
    """Makes a system that is not started, with some settings changed, and stops it in the end."""

    def __call__(self, **settings: str) -> System: ...


@pytest.fixture(scope="session")
def databases(postgres_server: EmbeddedPostgres, database_template: DatabaseTemplate) -> Iterator[Databases]:
    made = Databases(postgres_server, database_template)
    yield made
    assert leaks(made.server_log) == []


@contextmanager
def systems_on(databases: Databases, folders: pytest.TempPathFactory) -> Iterator[NewSystem]:
    """Every system made here is asked at its end for its books, and for what its logs tell."""
    systems: list[System] = []

    def create(**settings: str) -> System:
        own = {service: databases.create(service) for service in ("pricing", "messaging")}
        systems.append(System(folders.mktemp("system"), own, settings))
        return systems[-1]

    try:
        yield create
    finally:
        for system in systems:
            system.stop()
    for system in systems:
        system.check_money()
        assert system.leaks() == []
        system.pricing_database.drop()
        system.messaging_database.drop()


@pytest.fixture(scope="module")
def new_system(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewSystem]:
    with systems_on(databases, tmp_path_factory) as create:
        yield create
