"""The checkout's own migrations and SQL tree."""

from __future__ import annotations

from contextlib import closing

from crewpay_sync.database import Target
from crewpay_sync.deploy import runner
from crewpay_sync.deploy.shadow import compare, schema_dump
from crewpay_sync.deploy.source import Tree


def test_every_file_is_listed_and_every_migration_has_a_rollback(tree: Tree) -> None:
    assert tree.load_order() is not None
    assert tree.migrations()


def test_full_rollback_and_apply_give_the_same_schema(tree: Tree, empty_database: Target) -> None:
    runner.deploy(empty_database, tree, with_sql=False)
    first = schema_dump(empty_database)
    assert runner.rollback(empty_database, tree) == [m.id for m in reversed(tree.migrations())]
    with closing(empty_database.connect(autocommit=True)) as conn:
        left = conn.execute(
            "select n.nspname from pg_namespace n where nspowner = 'crewpay_owner'::regrole"
            " and nspname not in ('deploy', 'yoyo')"
        ).fetchall()
    assert left == []
    assert runner.deploy(empty_database, tree, with_sql=False).migrations == [m.id for m in tree.migrations()]
    assert compare(schema_dump(empty_database), first) == []


def test_deploying_everything_again_changes_nothing(tree: Tree, database: Target) -> None:
    """Every statement of sql/ can run twice, and the result is the same schema."""
    first = schema_dump(database)
    with closing(database.connect(autocommit=True)) as conn:
        conn.execute("delete from deploy.statements where ordinal > 0")
    again = runner.deploy(database, tree)
    assert again.statements == sum(len(unit.statements) for unit in tree.units())
    assert compare(schema_dump(database), first) == []


def test_a_deployed_database_verifies(tree: Tree, database: Target) -> None:
    assert runner.plan(database, tree).lag() == []
