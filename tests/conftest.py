"""Databases for tests: a template deployed once by the real deploy, and a clone of it for each module."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from crewpay_sync.database import Target, direct_target
from crewpay_sync.deploy import scratch
from crewpay_sync.deploy.source import Tree

LONG = bool(os.environ.get("CREWPAY_TEST_LONG"))
_common: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
}
hypothesis_settings.register_profile("short", max_examples=40, derandomize=True, **_common)
hypothesis_settings.register_profile("long", max_examples=500, **_common)
hypothesis_settings.load_profile("long" if LONG else "short")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not LONG:
        for item in items:
            if "long" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="runs in make test-long"))


@pytest.fixture(scope="session")
def tree() -> Tree:
    """The checkout under test."""
    return Tree(Path(__file__).resolve().parent.parent)


@pytest.fixture(scope="session")
def server() -> Target:
    """The server that tests make databases on: the one deploy would use. Its own database is not touched."""
    return direct_target().with_(dbname="postgres")


@pytest.fixture(scope="session")
def template(server: Target, tree: Tree) -> Iterator[str]:
    """Name of a database deployed from the checkout, ready to be cloned."""
    scratch.drop_leftovers(server, tree)
    name = scratch.own_name(tree, "template")
    try:
        scratch.build(server, name, tree, template=True)
        yield name
    finally:
        scratch.drop(server, name)


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest, server: Target, template: str, tree: Tree) -> Iterator[Target]:
    """A deployed database of the module's own."""
    name = scratch.own_name(tree, request.module.__name__.rsplit(".", 1)[-1])
    yield scratch.clone(server, template, name, tree)
    scratch.drop(server, name)


@pytest.fixture(scope="module")
def dsn(database: Target) -> str:
    """Connection string of the module's database, as the operator."""
    return database.conninfo


@pytest.fixture
def db(database: Target) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the module's database, as the operator; what is not committed is rolled back."""
    with closing(database.connect()) as conn:
        yield conn


@pytest.fixture
def empty_database(request: pytest.FixtureRequest, server: Target, tree: Tree) -> Iterator[Target]:
    """An empty database of the test's own, for tests of deploy itself."""
    name = scratch.own_name(tree, request.node.name)
    yield scratch.create(server, name)
    scratch.drop(server, name)
