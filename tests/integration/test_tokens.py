"""Tokens across transactions, processes and parallel workers, what survives a refusal, and `crewpay auth`."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from crewpay_sync.database import Target
from crewpay_sync.deploy.source import Tree

Connection = psycopg.Connection[Any]


@dataclass
class World:
    """The fixture of two airlines, with a pool of crew and one of payroll clerks."""

    database: Target
    operator: Connection
    crew_pool: str
    payroll_pool: str

    def one(self, statement: str, *values: Any) -> Any:
        row = self.operator.execute(statement, values).fetchone()  # type: ignore[call-overload]
        assert row is not None
        return row[0]

    def mint(self, pool: str | None = None, person: str = "alpha_crew1") -> str:
        return str(
            self.one(
                "select auth.mint_token(%s, test.id('alpha'), test.id(%s))", pool or self.crew_pool, person
            )
        )

    @contextmanager
    def session(self, login: str) -> Iterator[Connection]:
        """A session whose session_user is the login."""
        with closing(self.database.connect()) as conn:
            conn.execute(f'set session authorization "{login}"')
            conn.commit()
            yield conn

    def context(self, pid: int, started: str, login: str, exp: int) -> str:
        """What auth.login would make: only somebody who has the key can."""
        body = f"crew|{self.one('select test.id(%s)', 'alpha')}|{self.one('select test.id(%s)', 'alpha_crew1')}|||{exp}|"
        key = self.one("select secret from auth.context_keys")
        mac = hmac.new(key, f"{body}{pid}|{started}|{login}".encode(), hashlib.sha256).hexdigest()
        return body + mac


@pytest.fixture(scope="module")
def world(database: Target, tree: Tree) -> Iterator[World]:
    subprocess.run(
        ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database.conninfo, "-f", str(tree.root / "tests/pgtap/helpers.psql")],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    with closing(database.connect(autocommit=True)) as conn:
        conn.execute("select test.fixture()")
        made = World(database, conn, "", "")
        made.crew_pool, made.payroll_pool = (
            made.one("select test.login(%s)::text", name) for name in ("pool_crew", "pool_payroll")
        )
        for login, role in ((made.crew_pool, "crew"), (made.payroll_pool, "payroll")):
            conn.execute(f'create role "{login}" login in role crewpay_{role}')  # type: ignore[call-overload]
            conn.execute("select auth.create_pool(%s, %s)", (login, role))
        try:
            yield made
        finally:
            suffix = f"_{conn.info.backend_pid}"
            for row in conn.execute(
                "select rolname from pg_roles where rolname like 't\\_%%' || %s", (suffix,)
            ).fetchall():
                conn.execute(f'drop role "{row[0]}"')  # type: ignore[call-overload]


def refused(conn: Connection, statement: str, *values: Any) -> None:
    """28000, and nothing else."""
    with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification) as error:
        conn.execute(statement, values)  # type: ignore[call-overload]
    assert error.value.sqlstate == "28000"
    conn.rollback()


def count(conn: Connection, table: str = "crew.crew_members") -> int:
    row = conn.execute(f"select count(*) from {table}").fetchone()  # type: ignore[call-overload]
    assert row is not None
    return int(row[0])


def logged_in(conn: Connection, token: str) -> str:
    """Logs in, and returns the context."""
    conn.execute("select auth.login(%s)", (token,))
    row = conn.execute("select current_setting('app.context')").fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_token_is_for_one_transaction(world: World, end: str) -> None:
    with world.session(world.crew_pool) as conn:
        logged_in(conn, world.mint())
        assert count(conn) == 1
        conn.execute(end)  # type: ignore[call-overload]
        assert count(conn) == 0


def test_a_rolled_back_savepoint_takes_the_login_with_it(world: World) -> None:
    with world.session(world.crew_pool) as conn:
        conn.execute("savepoint a")
        logged_in(conn, world.mint())
        conn.execute("rollback to a")
        assert count(conn) == 0


def test_a_context_is_worth_nothing_in_the_next_transaction(world: World) -> None:
    with world.session(world.crew_pool) as conn:
        stolen = logged_in(conn, world.mint())
        conn.commit()
        for is_local in (True, False):
            conn.execute("select set_config('app.context', %s, %s)", (stolen, is_local))
            refused(conn, "select count(*) from crew.crew_members")


def test_a_context_is_worth_nothing_in_another_process(world: World) -> None:
    with world.session(world.crew_pool) as one, world.session(world.crew_pool) as other:
        stolen = logged_in(one, world.mint())
        other.execute("select set_config('app.context', %s, true)", (stolen,))
        refused(other, "select auth.uid()")
        assert count(one) == 1


def test_contexts_end_with_their_token(world: World) -> None:
    """Made with the key, as nobody else can: what is refused is the expiry alone."""
    with world.session(world.crew_pool) as conn:
        for seconds, good in ((60, True), (-1, False)):
            row = conn.execute(
                "select pg_backend_pid(), extract(epoch from transaction_timestamp())::text, extract(epoch from now())::bigint"
            ).fetchone()
            assert row is not None
            made = world.context(row[0], row[1], world.crew_pool, row[2] + seconds)
            conn.execute("select set_config('app.context', %s, true)", (made,))
            if good:
                assert count(conn) == 1
                conn.rollback()
            else:
                refused(conn, "select auth.uid()")


def test_parallel_workers_know_whom_they_work_for(world: World) -> None:
    with world.session(world.payroll_pool) as conn:
        conn.execute("set force_parallel_mode = on")
        conn.execute(
            "set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0"
        )
        conn.commit()
        logged_in(conn, world.mint(world.payroll_pool, "alpha_payroll"))
        in_worker = "select auth.uid(), auth.role(), auth.enterprise_id(), session_user"
        plan = "\n".join(row[0] for row in conn.execute(f"explain {in_worker}").fetchall())
        assert "Gather" in plan, plan
        assert conn.execute(in_worker).fetchone() == (
            world.one("select test.id('alpha_payroll')"), "payroll", world.one("select test.id('alpha')"), world.payroll_pool,
        )  # fmt: skip
        assert count(conn, "crew.crew_members c where auth.role() = 'payroll'") == 2
        conn.commit()
        assert count(conn) == 0
        conn.execute("select set_config('app.context', 'crew|' || repeat('0', 64), true)")
        refused(conn, in_worker)


def test_read_only_transactions_log_in_and_refuse(world: World) -> None:
    with world.session(world.crew_pool) as conn:
        conn.execute("set transaction read only")
        logged_in(conn, world.mint())
        assert count(conn) == 1
        conn.rollback()
        conn.execute("set transaction read only")
        refused(conn, "select auth.login('garbage')")


def test_refusals_outlive_their_transaction(world: World) -> None:
    world.one("select auth.collect_refusals()")
    notices: list[str] = []
    token = world.mint()
    with world.session(world.crew_pool) as conn, world.session(world.payroll_pool) as other:
        conn.execute("set client_min_messages = log")
        conn.commit()
        conn.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
        refused(conn, "select auth.login('garbage')")
        refused(conn, "select auth.login(%s)", token[:-1] + ("0" if token[-1] != "0" else "1"))
        refused(other, "select auth.login(%s)", token)
    assert notices == [
        f"crewpay: login refused: malformed, login {world.crew_pool}, address local",
        f"crewpay: login refused: forged, login {world.crew_pool}, address local",
    ]
    assert world.one("select auth.collect_refusals()") == 3
    assert world.one("select auth.collect_refusals()") == 0
    found = world.operator.execute(
        "select login::text, reason, abs(extract(epoch from now() - happened_at)) < 60"
        " from auth.token_events where event = 'refused' order by refusal_no desc limit 3"
    ).fetchall()
    assert found[::-1] == [
        (world.crew_pool, "malformed", True),
        (world.crew_pool, "forged", True),
        (world.payroll_pool, "made for another login", True),
    ]


def test_a_flood_of_refusals_is_counted(world: World) -> None:
    world.one("select auth.collect_refusals()")
    before = world.one("select sum(repeated) from auth.token_events where event = 'refused'")
    with world.session(world.crew_pool) as conn:
        for _ in range(40):
            refused(conn, "select auth.login('garbage')")
    assert world.one("select auth.collect_refusals()") == 40
    assert world.one("select sum(repeated) from auth.token_events where event = 'refused'") == before + 40
    assert world.one("select max(repeated) from auth.token_events") == 8


def test_secrets_stand_nowhere_else(world: World) -> None:
    token = world.mint()
    with world.session(world.crew_pool) as conn:
        logged_in(conn, token)
    secrets = [row[0].hex() for row in world.operator.execute(
        "select secret from auth.signing_keys where secret is not null union all select secret from auth.context_keys"
    ).fetchall()]  # fmt: skip
    assert len(secrets) >= 2
    for secret in [*secrets, token]:
        assert (
            world.one("select count(*) from ext.pg_stat_statements where strpos(query, %s) > 0", secret) == 0
        )


def test_an_issuer_makes_and_revokes_tokens_and_sees_nothing(world: World) -> None:
    issuer = world.one("select test.login('issuer')::text")
    world.operator.execute(f'create role "{issuer}" login in role crewpay_issuer')  # type: ignore[call-overload]
    with world.session(issuer) as conn, world.session(world.crew_pool) as pool:
        row = conn.execute(
            "select auth.mint_token(%s, %s, %s)",
            (
                world.crew_pool,
                world.one("select test.id('alpha')"),
                world.one("select test.id('alpha_crew1')"),
            ),
        ).fetchone()
        assert row is not None
        logged_in(pool, row[0])
        assert count(pool) == 1
        pool.rollback()
        conn.execute("select auth.revoke_token(%s::uuid)", (row[0].split("|")[2],))
        conn.commit()
        refused(pool, "select auth.login(%s)", row[0])
        for statement in (
            "select * from auth.signing_keys", "select * from auth.token_events", "select * from crew.crew_members",
            "select auth.rotate_key()", f"select auth.login('{row[0]}')", "select auth.principal()",
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement)  # type: ignore[call-overload]
            conn.rollback()


# The command line.

Crewpay = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def crewpay(world: World) -> Crewpay:
    def call(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "crewpay_sync", "auth", *args],
            env={**os.environ, "DATABASE_URL": world.database.conninfo, "DIRECT_URL": ""},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    return call


def test_cli_token_logs_in_and_stands_on_stdout_only(crewpay: Crewpay, world: World) -> None:
    done = crewpay(
        "token", world.crew_pool, "--enterprise", "test-alpha", "--employee", "E001", "--minutes", "2"
    )
    assert (done.returncode, done.stderr) == (0, "")
    with world.session(world.crew_pool) as conn:
        logged_in(conn, done.stdout.rstrip("\n"))
        assert conn.execute("select auth.uid()").fetchone() == (world.one("select test.id('alpha_crew1')"),)


def test_cli_revoke(crewpay: Crewpay, world: World) -> None:
    made = crewpay("token", world.crew_pool, "--enterprise", "test-alpha", "--employee", "E001", "--json")
    data = json.loads(made.stdout)["data"]
    assert crewpay("revoke", data["jti"]).returncode == 0
    with world.session(world.crew_pool) as conn:
        refused(conn, "select auth.login(%s)", data["token"])


def test_cli_refuses_what_makes_no_token(crewpay: Crewpay, world: World) -> None:
    for args, code in (
        (("token", "nobody", "--enterprise", "test-alpha", "--employee", "E001"), "CP302"),
        (("token", world.crew_pool, "--enterprise", "test-alpha", "--employee", "E999"), "CP302"),
        (("token", world.crew_pool, "--enterprise", "test-alpha"), "CP302"),
        (("token", world.crew_pool, "--enterprise", "test-alpha", "--employee", "E001", "--minutes", "60"), "CP303"),
        (("token", world.crew_pool, "--enterprise", "nowhere", "--employee", "E001"), "CP920"),
        (("pool", "postgres", "--role", "crew"), "CP301"),
    ):  # fmt: skip
        done = crewpay(*args)
        assert (done.returncode != 0, done.stdout) == (True, ""), args
        assert done.stderr.startswith(code), done.stderr


def test_cli_pool_principals_rotate_events(crewpay: Crewpay, world: World) -> None:
    name = world.one("select test.login('pool_made')::text")
    for _ in range(2):
        done = crewpay("pool", name, "--role", "service_role", "--json")
        assert json.loads(done.stdout)["data"] == [{"login": name, "role": "service_role", "active": True}]
    listed = json.loads(crewpay("principals", "--enterprise", "test-alpha", "--json").stdout)["data"]
    assert {row["person"] for row in listed if row["login"] == name} == {"pool: by token only"}
    assert {row["enterprise"] for row in listed} == {None, "test-alpha"}

    token = world.mint()
    keys = json.loads(crewpay("rotate", "--json").stdout)["data"]
    assert [key["state"] for key in keys][:2] == ["active", "retiring"]
    assert "secret" not in keys[0]
    with world.session(world.crew_pool) as conn:
        logged_in(conn, token)
        conn.rollback()
        assert crewpay("rotate", "--revoke-old").returncode == 0
        refused(conn, "select auth.login(%s)", token)
    events = json.loads(crewpay("events", "--json").stdout)["data"]
    newest = sorted((event["event"], event["reason"]) for event in events[:3])  # refusals: to the second
    assert [event for event, _ in newest] == ["refused", "rotated", "rotated"]
    assert newest[0][1] == "unknown key"
