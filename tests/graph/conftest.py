"""A real Neo4j of the checkout's own, and for each test an airline in a database of its own to synchronise with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import neo4j
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from crewpay_sync.database import Target
from crewpay_sync.deploy import scratch
from crewpay_sync.deploy.source import Tree
from crewpay_sync.importers.avelo import load_avelo
from tests.graph.harness import Airline, Server, drop_login, synchronised, wipe


@pytest.fixture(scope="session")
def neo4j_server() -> Iterator[Server]:
    server = Server()
    ours = not server.running
    server.start()
    yield server
    if ours:
        server.stop()


@pytest.fixture
def driver(neo4j_server: Server) -> Iterator[neo4j.Driver]:
    """The curator's connection, to an empty graph."""
    with neo4j_server.driver() as made:
        wipe(made)
        yield made


@pytest.fixture(scope="session")
def avelo_template(server: Target, template: str, tree: Tree) -> Iterator[str]:
    """Name of a database with the sample airline in it, ready to be cloned."""
    name = scratch.own_name(tree, "avelo")
    target = scratch.clone(server, template, name, tree)
    with closing(target.connect(autocommit=True, row_factory=dict_row)) as conn:
        load_avelo(conn)
    with closing(server.connect(autocommit=True)) as conn:
        conn.execute(
            sql.SQL("alter database {} is_template true allow_connections false").format(sql.Identifier(name))
        )
    yield name
    scratch.drop(server, name)


@pytest.fixture
def airline(
    request: pytest.FixtureRequest,
    server: Target,
    avelo_template: str,
    tree: Tree,
    driver: neo4j.Driver,
    neo4j_server: Server,
    tmp_path: Path,
) -> Iterator[Airline]:
    """The sample airline in a database of the test's own, beside an empty graph."""
    name = scratch.own_name(tree, request.node.name)
    target = scratch.clone(server, avelo_template, name, tree)
    with ExitStack() as stack:
        stack.callback(scratch.drop, server, name)
        yield stack.enter_context(synchronised(target, driver, neo4j_server, tmp_path))


@pytest.fixture(scope="session", autouse=True)
def _no_login_left(server: Target) -> Iterator[None]:
    yield
    with closing(server.connect(autocommit=True)) as conn:
        drop_login(conn)
