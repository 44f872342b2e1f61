"""Databases for one purpose and a short life: templates, clones, shadows. Tests, lint and `db verify --shadow` use them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from crewpay_sync.database import Target
from crewpay_sync.deploy.runner import deploy, run_cluster_file
from crewpay_sync.deploy.source import Tree


def prefix(tree: Tree) -> str:
    """Name that databases of this checkout start with."""
    return f"crewpay_test_{hashlib.sha256(str(tree.root.resolve()).encode()).hexdigest()[:8]}"


def own_name(tree: Tree, purpose: str) -> str:
    """A database name for this checkout, this process and this purpose."""
    return f"{prefix(tree)}_{os.getpid()}_{re.sub('[^a-z0-9]+', '_', purpose.lower())}"[:63]


def _execute(target: Target, *statements: sql.Composed) -> None:
    with closing(target.with_(dbname="postgres").connect(autocommit=True)) as conn:
        conn.add_notice_handler(lambda _: None)
        for statement in statements:
            conn.execute(statement)


def drop(target: Target, name: str) -> None:
    """Drops the database, whoever is connected."""
    database = sql.Identifier(name)
    with closing(target.with_(dbname="postgres").connect(autocommit=True)) as conn:
        conn.add_notice_handler(lambda _: None)
        if conn.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
            conn.execute(sql.SQL("alter database {} is_template false").format(database))
            conn.execute(sql.SQL("drop database {} with (force)").format(database))


def create(target: Target, name: str) -> Target:
    """An empty database in place of one of that name."""
    drop(target, name)
    _execute(
        target,
        sql.SQL("create database {} encoding 'UTF8' locale 'C.UTF-8' template template0").format(
            sql.Identifier(name)
        ),
    )
    return target.with_(dbname=name)


def build(target: Target, name: str, tree: Tree, *, template: bool = False) -> Target:
    """A database deployed from the tree; as a template it takes no connections, so that it can be cloned any time."""
    made = create(target, name)
    deploy(made, tree)
    if template:
        _execute(
            target,
            sql.SQL("alter database {} is_template true allow_connections false").format(
                sql.Identifier(name)
            ),
        )
    return made


def clone(target: Target, template: str, name: str, tree: Tree) -> Target:
    """A copy of a template, with the settings and grants of a database, which templates don't hand on."""
    drop(target, name)
    _execute(
        target,
        sql.SQL("create database {} template {} strategy wal_log").format(
            sql.Identifier(name), sql.Identifier(template)
        ),
    )
    made = target.with_(dbname=name)
    with closing(made.connect(autocommit=True)) as conn:
        run_cluster_file(conn, tree, "cluster/database.sql")
    return made


def drop_leftovers(target: Target, tree: Tree) -> None:
    """Drops this checkout's databases whose process is gone."""
    pattern = re.compile(rf"^{prefix(tree)}_(\d+)_")
    with closing(target.with_(dbname="postgres").connect(autocommit=True)) as conn:
        names = [row[0] for row in conn.execute("select datname from pg_database").fetchall()]
    for name in names:
        match = pattern.match(name)
        if match and not Path(f"/proc/{match[1]}").exists():
            drop(target, name)


@contextmanager
def temporary(
    target: Target, purpose: str, tree: Tree, prepare: Callable[[psycopg.Connection[Any]], None] | None = None
) -> Iterator[Target]:
    """A deployed database for the length of a with block."""
    drop_leftovers(target, tree)
    name = own_name(tree, purpose)
    try:
        made = build(target, name, tree)
        if prepare:
            with closing(made.connect(autocommit=True)) as conn:
                prepare(conn)
        yield made
    finally:
        drop(target, name)
