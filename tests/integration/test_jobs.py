"""Scheduled jobs with a real pg_cron, on a cluster of its own: real ticks, so this takes two minutes, most of them waiting."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from crewpay_sync.database import Target
from crewpay_sync.deploy import scratch
from crewpay_sync.deploy.runner import deploy
from crewpay_sync.deploy.source import Tree
from tests.clusters import own_cluster

GATE = 77
JOBS = {
    "test-failing": "select 1 / 0",
    "test-missing": "select 1",
    "test-quick": "select 'quick'",
    "test-slow": f"select pg_advisory_xact_lock({GATE})",
}


@pytest.fixture(scope="module")
def database(tree: Tree) -> Iterator[Target]:
    with own_cluster(
        shared_preload_libraries="pg_cron",
        cron__database_name="crewpay",
        cron__use_background_workers="off",
        max_connections="40",
    ) as cluster:
        # pg_cron asks for the host when it connects: the socket of this cluster.
        cluster.stop()
        cluster.configure(cron__host=str(cluster.home))
        cluster.start()
        yield scratch.build(cluster.target, "crewpay", tree)


@pytest.fixture
def conn(database: Target) -> Iterator[psycopg.Connection[Any]]:
    with closing(database.connect(autocommit=True)) as made:
        yield made


def crewpay(database: Target, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "crewpay_sync", *args],
        env={**os.environ, "DATABASE_URL": database.conninfo, "DIRECT_URL": ""},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def within(seconds: float, condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.2)


def alerts(conn: psycopg.Connection[Any]) -> set[str]:
    found = conn.execute("select alert_key from ops.alerts where state <> 'CLEARED' and alert_key ~ 'test-'")
    return {row[0] for row in found}


def watch(database: Target) -> None:
    with closing(database.connect(autocommit=True)) as scheduler:
        scheduler.execute("set session authorization crewpay_jobs")
        scheduler.execute("select ops.watch_jobs()")


def test_catalogue_is_scheduled(conn: psycopg.Connection[Any]) -> None:
    scheduled = conn.execute(
        "select jobname, schedule, command, username from cron.job where database = current_database() order by 1"
    ).fetchall()
    catalogue = conn.execute("select name, schedule from ops.jobs order by 1").fetchall()
    assert scheduled == [(n, s, f"call ops.run_job('{n}')", "crewpay_jobs") for n, s in catalogue]


def test_slow_failing_and_missing_jobs(database: Target, conn: psycopg.Connection[Any]) -> None:
    def runs(job: str, state: str) -> int:
        row = conn.execute(
            "select count(*) from ops.job_runs where job_name = %s and state::text = %s", (job, state)
        ).fetchone()
        return row[0] if row else 0

    with closing(database.connect(autocommit=True)) as holder:
        holder.execute("select pg_advisory_lock(%s)", (GATE,))
        for name, command in JOBS.items():
            conn.execute(
                "insert into ops.jobs (name, schedule, command, max_duration, description)"
                " values (%s, '* * * * *', %s, '1 second', 'test')",
                (name, command),
            )
        conn.execute("set session authorization crewpay_jobs")
        conn.execute("select cron.unschedule('test-missing'::name)")
        conn.execute("reset session authorization")

        within(75, lambda: runs("test-slow", "RUNNING") == 1, "the slow job begins")
        # In the next minute, and not only in the one in which the slow one began.
        later = (
            "select count(*) from ops.job_runs as quick join ops.job_runs as slow on slow.job_name = 'test-slow'"
            " where quick.job_name = 'test-quick' and quick.state = 'SUCCEEDED'"
            " and quick.started_at > slow.started_at + interval '30 seconds'"
        )
        within(75, lambda: conn.execute(later).fetchone() != (0,), "the quick one runs meanwhile")
        assert runs("test-slow", "RUNNING") == 1, "the slow one isn't started twice"
        assert runs("test-failing", "FAILED") >= 1
        watch(database)
        assert alerts(conn) == {"job:test-failing:failed", "job:test-missing:missing", "job:test-slow:long"}
        failed = conn.execute("select distinct error_code from ops.job_runs where job_name = 'test-failing'")
        assert failed.fetchall() == [("22012",)]
    within(10, lambda: runs("test-slow", "SUCCEEDED") >= 1, "the slow job ends once it may")

    # Causes mended, the alerts clear.
    conn.execute("update ops.jobs set command = 'select 1' where name = 'test-failing'")
    conn.execute("select ops.reconcile_jobs()")
    assert crewpay(database, "jobs", "run", "test-failing").returncode == 0
    watch(database)
    assert alerts(conn) == set()
    conn.execute("delete from ops.jobs where name ~ '^test-'")
    assert conn.execute("select count(*) from cron.job where jobname ~ '^test-'").fetchone() == (0,)


def test_run_by_hand(database: Target, conn: psycopg.Connection[Any]) -> None:
    conn.execute(
        "insert into ops.jobs (name, schedule, command, description) values ('hand', '0 0 1 1 *', 'select 1 / 0', 'test')"
    )
    try:
        done = crewpay(database, "jobs", "run", "hand", "--json")
        assert done.returncode == 1, done.stderr
        assert json.loads(done.stdout)["data"] == [
            {"job": "hand", "state": "failed", "code": "CP331", "error": "division by zero"}
        ]
        assert crewpay(database, "jobs", "run", "nothing").returncode == 2
        assert crewpay(database, "jobs", "list").returncode == 1
        conn.execute("update ops.jobs set command = 'select 42' where name = 'hand'")
        assert crewpay(database, "jobs", "run", "hand").returncode == 0
        history = json.loads(crewpay(database, "jobs", "history", "hand", "--json").stdout)["data"]
        assert [(row["state"], row["result"]) for row in history] == [
            ("SUCCEEDED", "42"),
            ("FAILED", "division by zero"),
        ]
        # What isn't started isn't called done.
        conn.execute("insert into ops.job_runs (job_name) values ('hand')")
        again = json.loads(crewpay(database, "jobs", "run", "hand", "--json").stdout)["data"]
        assert again == [
            {"job": "hand", "state": "not started", "code": "CP332", "error": "a run of hand is going on"}
        ]
    finally:
        conn.execute("delete from ops.jobs where name = 'hand'")


def test_due_jobs_run_once(database: Target, conn: psycopg.Connection[Any]) -> None:
    conn.execute(
        "insert into ops.jobs (name, schedule, command, description, enabled_at)"
        " values ('yearly', '0 0 1 1 *', 'select 1', 'test', now() - interval '2 years')"
    )
    try:
        first = json.loads(crewpay(database, "jobs", "run", "--due", "--json").stdout)["data"]
        second = json.loads(crewpay(database, "jobs", "run", "--due", "--json").stdout)["data"]
        assert "yearly" in {row["job"] for row in first}
        assert "yearly" not in {row["job"] for row in second}
    finally:
        conn.execute("delete from ops.jobs where name = 'yearly'")


def test_an_airline_that_fails_does_not_keep_others_from_their_turn(
    database: Target, conn: psycopg.Connection[Any]
) -> None:
    for slug in ("one", "two", "three"):
        conn.execute("insert into platform.enterprises (name, slug) values (%s, %s)", (slug, slug))
    conn.execute(
        "insert into ops.jobs (name, schedule, command, per_enterprise, description) values ('each', '0 0 1 1 *',"
        " 'select 1 / case when (select slug from platform.enterprises) = ''two'' then 0 else 1 end', true, 'test')"
    )
    try:
        assert crewpay(database, "jobs", "run", "each").returncode == 1
        found = conn.execute(
            "select e.slug, r.state::text from ops.job_runs r join platform.enterprises e on e.id = r.enterprise_id"
            " where r.job_name = 'each' order by 1"
        ).fetchall()
        assert found == [("one", "SUCCEEDED"), ("three", "SUCCEEDED"), ("two", "FAILED")]
        alert = conn.execute(
            "select e.slug from ops.alerts a join platform.enterprises e on e.id = a.enterprise_id where a.alert_key = 'job:each:failed'"
        ).fetchall()
        assert alert == [("two",)]
    finally:
        conn.execute("delete from ops.jobs where name = 'each'")


def test_pause(database: Target, conn: psycopg.Connection[Any], tree: Tree) -> None:
    conn.execute(
        "insert into ops.jobs (name, schedule, command, description) values ('paused', '0 0 1 1 *', 'select 1', 'test')"
    )
    try:
        assert crewpay(database, "jobs", "pause", "--reason", "test").returncode == 0
        done = crewpay(database, "jobs", "run", "paused")
        assert done.returncode == 0
        assert "paused: not started: jobs are paused until " in done.stderr
        count = "select count(*) from ops.job_runs where job_name = 'paused'"
        assert conn.execute(count).fetchone() == (0,)
        assert crewpay(database, "jobs", "resume").returncode == 0
        assert crewpay(database, "jobs", "run", "paused").returncode == 0
        assert conn.execute(count).fetchone() == (1,)
        # A deploy that has something to do pauses them, and leaves them running.
        conn.execute("delete from deploy.statements where path = 'ops/schedules.sql'")
        assert not deploy(database, tree).nothing
        assert conn.execute("select ops.jobs_paused_until()").fetchone() == (None,)
        # An operator's own pause goes on.
        assert crewpay(database, "jobs", "pause", "--minutes", "120", "--reason", "test").returncode == 0
        conn.execute("delete from deploy.statements where path = 'ops/schedules.sql'")
        assert not deploy(database, tree).nothing
        assert conn.execute("select ops.jobs_paused_until() > now() + interval '115 minutes'").fetchone() == (
            True,
        )
        assert crewpay(database, "jobs", "resume").returncode == 0
        reasons = conn.execute(
            "select count(*) from platform.system_configs where key = 'ops.jobs_paused_until'"
        ).fetchone()
        assert reasons
        assert reasons[0] >= 4
    finally:
        conn.execute("delete from ops.jobs where name = 'paused'")
