"""Deploy on scratch trees: what it refuses, what it undoes, what it repeats."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crewpay_sync.database import Target
from crewpay_sync.deploy import runner, scratch, shadow
from crewpay_sync.deploy.shadow import differences
from crewpay_sync.deploy.source import Tree
from crewpay_sync.output import CrewPayError
from crewpay_sync.settings import Settings

Write = Callable[..., None]

FIRST = """\
create schema shop;
create table shop.items (id integer primary key, name text not null);
alter table shop.items enable row level security;
"""
VIEWS = """\
-- Items.
create or replace view shop.names as select name from shop.items;
comment on view shop.names is 'Names.';

drop policy if exists owner_all on shop.items;
create policy owner_all on shop.items using (true);

create or replace function shop.count_items() returns bigint
language plpgsql security definer set search_path = ''
as $fn$ begin return (select count(*) from shop.items); end $fn$;
alter function shop.count_items() owner to crewpay_definer;
revoke all on function shop.count_items() from public;
"""


@pytest.fixture
def small(tmp_path: Path, tree: Tree) -> Tree:
    """A tree of one migration and one file, with the real cluster files."""
    shutil.copytree(tree.sql / "cluster", tmp_path / "sql" / "cluster")
    write(tmp_path, "migrations/0001.shop.sql", FIRST)
    write(tmp_path, "migrations/0001.shop.rollback.sql", "drop schema shop cascade;\n")
    write(tmp_path, "sql/shop/views.sql", VIEWS)
    write(tmp_path, "sql/LOADORDER", "# the shop\nshop/views.sql\n")
    return Tree(tmp_path)


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def add_migration(tree: Tree, name: str, text: str, rollback: str = "select 1;\n") -> None:
    write(tree.root, f"migrations/{name}.sql", text)
    write(tree.root, f"migrations/{name}.rollback.sql", rollback)


def query(target: Target, text: str) -> list[tuple[Any, ...]]:
    with closing(target.connect(autocommit=True)) as conn:
        return conn.execute(text.encode()).fetchall()


def test_first_deploy_makes_everything_and_the_second_nothing(small: Tree, empty_database: Target) -> None:
    first = runner.deploy(empty_database, small)
    assert first.migrations == ["0001.shop"]
    assert first.statements == 7
    second = runner.deploy(empty_database, small)
    assert second.nothing
    assert query(empty_database, "select count(*), min(state) from deploy.runs") == [(1, "succeeded")]


def test_objects_belong_to_the_two_owners(small: Tree, empty_database: Target) -> None:
    runner.deploy(empty_database, small)
    assert query(
        empty_database,
        "select relowner::regrole::text from pg_class where oid = 'shop.items'::regclass"
        " union all select proowner::regrole::text from pg_proc where oid = 'shop.count_items()'::regprocedure",
    ) == [("crewpay_owner",), ("crewpay_definer",)]
    assert query(empty_database, "select has_schema_privilege('crewpay_definer', 'shop', 'create')") == [
        (False,)
    ]


def test_only_changed_statements_run(small: Tree, empty_database: Target) -> None:
    runner.deploy(empty_database, small)
    write(small.root, "sql/shop/views.sql", VIEWS.replace("Names.", "Names of items."))
    planned = runner.plan(empty_database, small)
    assert [(unit.path, unit.line) for unit in planned.units] == [("shop/views.sql", 2)]
    assert runner.deploy(empty_database, small).statements == 2
    assert query(empty_database, "select obj_description('shop.names'::regclass)") == [("Names of items.",)]


def test_a_reverted_statement_runs_again(small: Tree, empty_database: Target) -> None:
    runner.deploy(empty_database, small)
    for text in ("Changed.", "Names."):
        write(small.root, "sql/shop/views.sql", VIEWS.replace("Names.", text))
        runner.deploy(empty_database, small)
    assert query(empty_database, "select obj_description('shop.names'::regclass)") == [("Names.",)]


def test_a_recreated_object_makes_everything_run(small: Tree, empty_database: Target) -> None:
    runner.deploy(empty_database, small)
    write(
        small.root,
        "sql/shop/views.sql",
        VIEWS.replace("create or replace view", "drop view if exists shop.names;\ncreate view"),
    )
    planned = runner.plan(empty_database, small)
    assert planned.everything


def test_a_new_migration_makes_everything_run(small: Tree, empty_database: Target) -> None:
    runner.deploy(empty_database, small)
    add_migration(small, "0002.drop-view", "drop view shop.names;\n")
    assert runner.deploy(empty_database, small).statements == 7
    assert query(empty_database, "select to_regclass('shop.names') is not null") == [(True,)]


def test_after_a_failure_behind_a_migration_everything_runs(small: Tree, empty_database: Target) -> None:
    """The migration stays, and with it what it took away from sql/."""
    runner.deploy(empty_database, small)
    add_migration(small, "0002.drop-view", "drop view shop.names;\n")
    write(small.root, "sql/shop/broken.sql", "select nope;\n")
    write(small.root, "sql/LOADORDER", "shop/views.sql\nshop/broken.sql\n")
    with pytest.raises(CrewPayError, match=r"broken\.sql"):
        runner.deploy(empty_database, small)
    write(small.root, "sql/shop/broken.sql", "select 1;\n")
    assert runner.plan(empty_database, small).everything
    runner.deploy(empty_database, small)
    assert query(empty_database, "select to_regclass('shop.names') is not null") == [(True,)]


def test_jobs_that_cannot_be_paused_hide_no_failure(small: Tree, empty_database: Target) -> None:
    """Between a migration and sql/, functions are behind their tables: the pause fails, and the failure told is the deploy's own."""
    pause = """create schema ops;
        create function ops.pause_jobs(interval, text) returns timestamptz language plpgsql as $$ begin perform nope; end $$;"""
    add_migration(small, "0002.pause", pause, "drop schema ops cascade;\n")
    runner.deploy(empty_database, small)
    write(small.root, "sql/shop/broken.sql", "select missing;\n")
    write(small.root, "sql/LOADORDER", "shop/views.sql\nshop/broken.sql\n")
    said: list[str] = []
    with pytest.raises(CrewPayError, match=r"broken\.sql:1"):
        runner.deploy(empty_database, small, say=said.append)
    assert any("nope" in line for line in said)
    write(small.root, "sql/shop/broken.sql", "select 1;\n")
    runner.deploy(empty_database, small)


def test_settings_and_grants_of_the_database_are_made_again(small: Tree, empty_database: Target) -> None:
    """A dump that is read into a database made by hand has the bookkeeping, and the database nothing else."""
    runner.deploy(empty_database, small)
    name = empty_database.dbname
    for damage in (
        f'alter database "{name}" reset all',
        f'grant temporary on database "{name}" to public',
        f'alter database "{name}" owner to postgres',
    ):
        assert runner.plan(empty_database, small).lag() == []
        with closing(empty_database.connect(autocommit=True)) as conn:
            conn.execute(damage)
        assert runner.plan(empty_database, small).lag() == ["sql/cluster/database.sql is not applied"]
        assert runner.deploy(empty_database, small).cluster == ["cluster/database.sql"]
    with closing(empty_database.connect(autocommit=True)) as conn:
        path = conn.execute("show search_path").fetchone()
    assert path
    assert path[0].startswith("crew, pay")


def test_an_edited_migration_is_refused(small: Tree, empty_database: Target) -> None:
    runner.deploy(empty_database, small)
    write(small.root, "migrations/0001.shop.sql", FIRST + "-- edited\n")
    with pytest.raises(CrewPayError, match=r"migrations/0001\.shop\.sql") as caught:
        runner.deploy(empty_database, small)
    assert (caught.value.code, caught.value.exit_code) == ("CP901", 4)


def test_a_database_ahead_of_the_tree_is_refused(small: Tree, empty_database: Target) -> None:
    add_migration(small, "0002.more", "create table shop.more (id integer);\n")
    runner.deploy(empty_database, small)
    (small.root / "migrations/0002.more.sql").unlink()
    (small.root / "migrations/0002.more.rollback.sql").unlink()
    with pytest.raises(CrewPayError, match=r"0002\.more") as caught:
        runner.deploy(empty_database, small)
    assert caught.value.code == "CP907"


def test_a_broken_file_rolls_everything_back_and_names_its_line(small: Tree, empty_database: Target) -> None:
    runner.deploy(empty_database, small)
    write(small.root, "sql/shop/views.sql", VIEWS.replace("Names.", "Changed."))
    write(
        small.root,
        "sql/shop/broken.sql",
        "-- one\nselect 1;\n\ncreate or replace view shop.v as\n  select nope\n  from shop.items;\n",
    )
    write(small.root, "sql/LOADORDER", "shop/views.sql\nshop/broken.sql\n")
    with pytest.raises(
        CrewPayError, match=r"sql/shop/broken\.sql:5: column \"nope\" does not exist .*42703"
    ) as caught:
        runner.deploy(empty_database, small)
    assert (caught.value.code, caught.value.exit_code) == ("CP904", 4)
    assert query(empty_database, "select obj_description('shop.names'::regclass)") == [("Names.",)]
    assert query(empty_database, "select state, error from deploy.runs order by id desc limit 1") == [
        ("failed", caught.value.message)
    ]


def test_a_broken_migration_leaves_nothing_and_names_its_line(small: Tree, empty_database: Target) -> None:
    runner.deploy(empty_database, small)
    add_migration(
        small,
        "0002.broken",
        "create table shop.half (id integer);\n\ninsert into shop.half\n  values ('x');\n",
    )
    with pytest.raises(CrewPayError, match=r"migrations/0002\.broken\.sql:4: "):
        runner.deploy(empty_database, small)
    assert query(empty_database, "select to_regclass('shop.half')::text") == [(None,)]
    assert query(empty_database, "select count(*) from deploy.migrations") == [(1,)]
    add_migration(small, "0002.broken", "create table shop.half (id integer);\n")
    assert runner.deploy(empty_database, small).migrations == ["0002.broken"]


def test_transaction_statements_are_refused_in_sql(small: Tree, empty_database: Target) -> None:
    write(small.root, "sql/shop/views.sql", VIEWS + "commit;\n")
    with pytest.raises(CrewPayError, match="commit is not allowed"):
        runner.deploy(empty_database, small)
    assert query(empty_database, "select to_regclass('shop.names')::text") == [(None,)]


@pytest.mark.parametrize(
    ("order", "problem"),
    [("", "not listed: shop/views.sql"), ("shop/views.sql\nshop/gone.sql\n", "no such file: shop/gone.sql")],
)
def test_load_order_must_be_complete(small: Tree, order: str, problem: str) -> None:
    write(small.root, "sql/LOADORDER", order)
    with pytest.raises(CrewPayError) as caught:
        small.load_order()
    assert caught.value.code == "CP902"
    assert problem in (caught.value.detail or "")


def test_a_migration_without_rollback_is_refused(small: Tree) -> None:
    write(small.root, "migrations/0002.alone.sql", "select 1;\n")
    with pytest.raises(CrewPayError) as caught:
        small.migrations()
    assert caught.value.code == "CP903"


def test_two_deploys_at_once_both_succeed(small: Tree, empty_database: Target) -> None:
    add_migration(small, "0002.slow", "create table shop.slow (id integer);\n")
    results: list[runner.Result] = []
    threads = [
        threading.Thread(target=lambda: results.append(runner.deploy(empty_database, small)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    assert sorted(result.nothing for result in results) == [False, True, True]


KILL = """
import os, signal, sys
from pathlib import Path
from yoyo.backends.base import DatabaseBackend
from crewpay_sync.database import Target
from crewpay_sync.deploy import runner
from crewpay_sync.deploy.source import Tree

def log_migration(self, migration, operation):
    if migration.id == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)

DatabaseBackend.log_migration = log_migration
runner.deploy(Target.parse(sys.argv[1]), Tree(Path(sys.argv[2])))
"""


def test_a_deploy_killed_between_commit_and_mark_can_be_repeated(small: Tree, empty_database: Target) -> None:
    runner.deploy(empty_database, small)
    add_migration(small, "0002.more", "create table shop.more (id integer);\n")
    add_migration(small, "0003.last", "create table shop.last (id integer);\n")
    conninfo, environment = empty_database.for_programs()
    killed = subprocess.run(
        [sys.executable, "-c", KILL, conninfo, str(small.root), "0002.more"], env=environment, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert query(empty_database, "select to_regclass('shop.more') is not null") == [(True,)]
    assert query(empty_database, "select count(*) from yoyo.yoyo_lock") == [(1,)]

    again = runner.deploy(empty_database, small)
    assert again.migrations == ["0003.last"]
    assert query(empty_database, "select state, error from deploy.runs order by id") == [
        ("succeeded", None),
        ("failed", "interrupted"),
        ("succeeded", None),
    ]
    assert runner.deploy(empty_database, small).nothing


def test_a_bare_yoyo_mark_is_adopted(small: Tree, empty_database: Target) -> None:
    runner.deploy(empty_database, small)
    with closing(empty_database.connect(autocommit=True)) as conn:
        conn.execute("delete from deploy.migrations")
    assert runner.deploy(empty_database, small).migrations == []
    assert query(empty_database, "select id from deploy.migrations") == [("0001.shop",)]


def test_a_migration_outside_a_transaction(small: Tree, empty_database: Target) -> None:
    add_migration(
        small,
        "0002.index",
        "-- transactional: false\ncreate index concurrently items_name_idx on shop.items (name);\n",
    )
    assert runner.deploy(empty_database, small).migrations == ["0001.shop", "0002.index"]
    assert query(empty_database, "select to_regclass('shop.items_name_idx') is not null") == [(True,)]


def test_a_lock_that_is_not_to_be_had_is_tried_three_times(
    small: Tree, empty_database: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.deploy(empty_database, small)
    monkeypatch.setattr(runner, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(runner, "RETRY_WAITS", (0.01, 0.01))
    write(small.root, "sql/shop/views.sql", VIEWS.replace("using (true)", "using (id > 0)"))
    said: list[str] = []
    with closing(empty_database.connect()) as blocker:
        blocker.execute("lock table shop.items in access share mode")
        with pytest.raises(CrewPayError) as caught:
            runner.deploy(empty_database, small, say=said.append)
    assert caught.value.code == "CP906"
    assert sum("trying again" in line for line in said) == 2
    assert runner.deploy(empty_database, small).statements == 2


def test_unqualified_names_in_a_migration_are_refused(small: Tree, empty_database: Target) -> None:
    write(small.root, "migrations/0001.shop.sql", FIRST + "create table stray (id integer);\n")
    with pytest.raises(CrewPayError, match=r"0001\.shop\.sql:4: no schema has been selected"):
        runner.deploy(empty_database, small)


def test_secrets_are_not_echoed(small: Tree) -> None:
    word = "hunter2" + "-" + os.urandom(4).hex()
    done = subprocess.run(
        [sys.executable, "-m", "crewpay_sync", "db", "deploy"],
        env={**os.environ, "DATABASE_URL": f"postgresql://nobody:{word}@127.0.0.1:1/x", "DIRECT_URL": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "CP910" in done.stderr
    assert word not in done.stdout + done.stderr
    assert word not in repr(Target.parse(f"postgresql://nobody:{word}@127.0.0.1:1/x"))


def test_a_fresh_database_equals_an_upgraded_one(small: Tree, empty_database: Target) -> None:
    runner.deploy(empty_database, small)
    add_migration(small, "0002.price", "alter table shop.items add price numeric;\n")
    write(small.root, "sql/shop/views.sql", VIEWS.replace("Names.", "Names of items."))
    runner.deploy(empty_database, small)
    assert differences(empty_database, small) == []


def test_what_is_not_in_the_tree_is_found_by_the_shadow(small: Tree, empty_database: Target) -> None:
    runner.deploy(empty_database, small)
    with closing(empty_database.connect(autocommit=True)) as conn:
        conn.execute("set role crewpay_owner")
        conn.execute("create view shop.stray as select 1 as one")
        conn.execute("comment on view shop.names is 'Edited by hand.'")
        conn.execute("grant select on shop.items to crewpay_bi")
    found = differences(empty_database, small)
    assert sorted(line.split(": ")[0] for line in found) == [
        "differs",
        "only in this database",
        "only in this database",
    ]
    assert any("shop.stray" in line for line in found)


def test_a_restored_database_equals_a_fresh_one(small: Tree, empty_database: Target) -> None:
    """PostgreSQL writes a condition otherwise once it was read from a dump; the settings of the database come with a deploy."""
    add_migration(
        small,
        "0002.ranges",
        "alter table shop.items add constraint ranges check (id between 0 and 9 and id not between 4 and 5 and name between 'a' and 'z');\n",
        "alter table shop.items drop constraint ranges;\n",
    )
    runner.deploy(empty_database, small)
    conninfo, environment = empty_database.for_programs()
    dump = subprocess.run(
        ["pg_dump", "-d", conninfo], env=environment, capture_output=True, text=True, check=True
    )
    scratch.create(empty_database, empty_database.dbname)
    subprocess.run(
        ["psql", "-Xqd", conninfo], input=dump.stdout, env=environment, capture_output=True, text=True, check=True
    )  # fmt: skip
    assert runner.deploy(empty_database, small).cluster == ["cluster/database.sql"]
    assert differences(empty_database, small) == []
    with closing(empty_database.connect(autocommit=True)) as conn:
        conn.execute("alter table shop.items drop constraint ranges")
        conn.execute("alter table shop.items add constraint ranges check (id between 0 and 9)")
    assert [line.split(": ")[:2] for line in differences(empty_database, small)] == [
        ["differs", "TABLE shop.items"]
    ]


def test_the_shadow_is_never_the_database_itself(
    small: Tree, empty_database: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.deploy(empty_database, small)
    same = Settings(shadow_database_url=f"{empty_database.conninfo} application_name=elsewhere")
    monkeypatch.setattr(shadow, "settings", lambda: same)
    with pytest.raises(CrewPayError) as caught:
        shadow.differences(empty_database, small)
    assert caught.value.code == "CP911"
    assert query(empty_database, "select to_regclass('shop.items') is not null") == [(True,)]
