"""A server killed in the middle of a pay run: the last published result is in force, and nothing else.

On a cluster of its own, made here and killed here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from crewpay_sync.database import Target
from crewpay_sync.deploy import scratch
from crewpay_sync.deploy.source import Tree
from crewpay_sync.importers.synthetic import load_synthetic
from tests.clusters import Cluster, own_cluster, until

PUBLISHED = (
    "select md5(string_agg(c::text, chr(10) order by c.id)) from pay.pay_calculations c",
    "select md5(string_agg(r::text, chr(10) order by r.id)) from pay.pay_runs r where r.state <> 'building'",
    "select md5(string_agg(v::text, chr(10) order by v.run_id, v.id)) from pay.calculation_versions v"
    " join pay.pay_runs r on r.id = v.run_id where r.state <> 'building'",
    "select count(*), sum(amount) from pay.pay_lines",
)
# What an analyst, a payroll clerk and the crew can read, by any way they have.
VISIBLE = {
    "bench_payroll": "select count(*) from pay.calculation_versions v join pay.pay_runs r on r.id = v.run_id where r.state = 'building'",
    "bench_bi": "select count(*) - 20 from bi.pay_calculations",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with own_cluster() as made:
        yield made


@pytest.fixture(scope="module")
def database(cluster: Cluster, tree: Tree) -> Target:
    """Deployed, with twenty crew members and a published run."""
    target = scratch.build(cluster.target, "crewpay", tree)
    with closing(target.connect(autocommit=True)) as conn:
        load_synthetic(conn, crew=20, month=date(2026, 7, 1))
    assert finish(crewpay(target)) == 0
    return target


def crewpay(database: Target, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "crewpay_sync", "pay", "run", "2026-07", *args],
        env={**os.environ, "DATABASE_URL": database.conninfo, "DIRECT_URL": ""},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(client: subprocess.Popen[str]) -> int:
    """The exit code; a refusal is a message with a code, not a traceback."""
    _, errors = client.communicate(timeout=30)
    assert "Traceback" not in errors, errors
    return client.returncode


def read(database: Target, *statements: str) -> list[Any]:
    with closing(database.connect(autocommit=True)) as conn:
        return [conn.execute(s).fetchall() for s in statements]  # type: ignore[call-overload]


def seen(database: Target) -> dict[str, int]:
    found = {}
    with closing(database.connect(autocommit=True)) as conn:
        for login, statement in VISIBLE.items():
            conn.execute(f"set session authorization {login}")  # type: ignore[call-overload]
            row = conn.execute(statement).fetchone()  # type: ignore[call-overload]
            found[login] = row[0] if row else -1
    return found


@dataclass
class Held:
    """A run that stands in the middle: its client, its backends that wait, and what lets them go on."""

    client: subprocess.Popen[str]
    waiting: list[int]
    let_go: Callable[[], None]


@contextmanager
def held(database: Target, table: str, waiting: int, *args: str) -> Iterator[Held]:
    """A run started while this session keeps others from writing to `table`, as soon as so many of them wait for it."""
    with closing(database.connect()) as blocker, closing(database.connect(autocommit=True)) as watcher:
        blocker.execute(f"lock table {table} in share row exclusive mode")  # type: ignore[call-overload]
        run = Held(crewpay(database, *args), [], blocker.rollback)

        def stands() -> bool:
            assert run.client.poll() is None, "the client has ended"
            found = watcher.execute(
                "select pid from pg_locks where relation = %s::regclass and not granted", (table,)
            )
            run.waiting = [row[0] for row in found]
            return len(run.waiting) == waiting

        try:
            until(stands, f"{waiting} sessions wait for {table}")
            yield run
        finally:
            if run.client.poll() is None:
                run.client.kill()
                run.client.communicate()


def test_server_killed_in_the_middle_of_a_run(cluster: Cluster, database: Target) -> None:
    before = read(database, *PUBLISHED)
    # Old results are moved away and new ones written by then; findings come last.
    with held(database, "pay.run_findings", 1) as run:
        cluster.kill()
        assert finish(run.client) == 3
    cluster.start()
    assert read(database, *PUBLISHED) == before
    assert read(database, "select count(*) from pay.pay_runs where state = 'building'") == [[(0,)]]
    assert finish(crewpay(database)) == 0
    assert (
        read(database, "select distinct result_hash from pay.pay_runs")[0]
        == read(database, "select result_hash from pay.pay_runs where state = 'published'")[0]
    )


def test_server_killed_while_workers_publish(cluster: Cluster, database: Target) -> None:
    before = read(database, *PUBLISHED)
    # Both slices are committed and taken over, and the coordinator stands before the last step.
    with held(database, "pay.adjustments", 1, "--workers", "2") as run:
        cluster.kill()
        assert finish(run.client) == 3
    cluster.start()
    left = "select count(distinct s.slice_no) from pay.run_slices s join pay.pay_runs r on r.id = s.run_id where r.state = 'building'"
    assert read(database, left) == [[(2,)]], "the slices were there"
    assert read(database, "select count(*) from pay.slice_results") == [[(0,)]], (
        "a crash empties what isn't logged"
    )
    assert seen(database) == dict.fromkeys(VISIBLE, 0), "and nobody sees any of it"
    assert read(database, *PUBLISHED) == before
    assert finish(crewpay(database, "--workers", "2")) == 0
    assert read(database, "select count(distinct result_hash) from pay.pay_runs") == [[(1,)]]
    # The job's work, an hour later.
    purge = (
        "update pay.pay_runs set started_at = started_at - interval '1 hour' where state = 'building'",
        "set session authorization crewpay_jobs",
    )
    with closing(database.connect(autocommit=True)) as conn:
        for statement in purge:
            conn.execute(statement)
        assert conn.execute("select pay.purge_runs()").fetchone() == (1,)
    assert read(database, left) == [[(0,)]]


@pytest.mark.parametrize("victim", ["worker", "coordinator", "client"])
def test_one_of_the_sessions_ends(database: Target, victim: str) -> None:
    before = read(database, *PUBLISHED)
    building = "select count(*) from pay.pay_runs where state = 'building'"
    already = read(database, building)[0][0][0]
    with held(database, "pay.run_findings", 2, "--workers", "2") as run:
        if victim == "client":
            run.client.kill()
            run.client.communicate()
        else:
            coordinator = "select pid from pg_stat_activity where state = 'idle in transaction' and query ~ 'take_slices'"
            pid = run.waiting[0] if victim == "worker" else read(database, coordinator)[0][0][0]
            read(database, f"select pg_terminate_backend({pid}, 10000)")
            run.let_go()
            assert finish(run.client) == 3
            assert read(database, building) == [[(already,)]], "what was left is removed"
    assert read(database, *PUBLISHED) == before
    assert seen(database) == dict.fromkeys(VISIBLE, 0)
    workers = "select count(*) from pg_stat_activity where application_name = 'crewpay pay worker'"
    until(lambda: read(database, workers) == [[(0,)]], "the workers are gone")
    assert finish(crewpay(database, "--workers", "2")) == 0
    assert read(database, "select count(distinct result_hash) from pay.pay_runs") == [[(1,)]]
