"""The PgBouncer that CrewPay describes (samples/pgbouncer.ini and .sql), for real: transaction mode, one server connection."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from crewpay_sync.database import Target
from crewpay_sync.deploy.source import Tree

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
pytestmark = [
    pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed"),
    pytest.mark.skipif(bool(os.environ.get("DATABASE_URL")), reason="needs the private cluster"),
]
Connection = psycopg.Connection[Any]
PASSWORD = secrets.token_hex(16)


@dataclass
class Pooled:
    """A running PgBouncer, the operator's connection past it, and the pool logins by role."""

    port: int
    operator: Connection
    logins: dict[str, str]
    direct_login: str

    def one(self, statement: str, *values: Any) -> Any:
        row = self.operator.execute(statement, values).fetchone()  # type: ignore[call-overload]
        assert row is not None
        return row[0]

    def mint(self, role: str = "crew", person: str = "alpha_crew1") -> str:
        return str(
            self.one("select auth.mint_token(%s, test.id('alpha'), test.id(%s))", self.logins[role], person)
        )

    def open(self, login: str, sslmode: str = "require", password: str = PASSWORD) -> Connection:
        return psycopg.connect(
            host="127.0.0.1", port=self.port, dbname="crewpay", user=login, password=password, sslmode=sslmode,
            connect_timeout=10, prepare_threshold=None,
        )  # fmt: skip

    @contextmanager
    def client(self, role: str = "crew") -> Iterator[Connection]:
        with closing(self.open(self.logins[role])) as conn:
            yield conn


def configuration(tree: Tree, port: int, database: Target, asking: str) -> str:
    """The sample with what it says to change, and one server connection a pool, so that clients follow each other on it."""
    text = (tree.root / "crewpay_sync/samples/pgbouncer.ini").read_text(encoding="utf-8")
    for old, new in (
        ("port=5815 dbname=crewpay", f"port={database.as_dict()['port']} dbname={database.dbname}"),
        ("listen_port = 6432", f"listen_port = {port}"),
        ("default_pool_size = 5", "default_pool_size = 1"),
        ("auth_user = crewpay_pgbouncer", f"auth_user = {asking}"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def pooled(database: Target, tree: Tree) -> Iterator[Pooled]:
    subprocess.run(
        ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database.conninfo, "-f", str(tree.root / "tests/pgtap/helpers.psql")],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    folder = Path(tempfile.mkdtemp(prefix="crewpay-pgbouncer-"))
    process: subprocess.Popen[bytes] | None = None
    with closing(database.connect(autocommit=True)) as conn:

        def one(statement: str) -> str:
            row = conn.execute(statement).fetchone()  # type: ignore[call-overload]
            assert row is not None
            return str(row[0])

        try:
            conn.execute("select test.fixture()")
            logins = {}
            for role in ("crew", "payroll"):
                logins[role] = one(f"select test.login('pool_{role}')")
                conn.execute(
                    f"create role \"{logins[role]}\" login password '{PASSWORD}' in role crewpay_{role}"
                )
                conn.execute("select auth.create_pool(%s, %s)", (logins[role], role))
            direct = one("select test.login('alpha_crew1')")
            conn.execute(f"alter role \"{direct}\" password '{PASSWORD}'")  # type: ignore[call-overload]

            # The sample, with a name of the test's own: roles belong to the whole cluster.
            asking = one("select test.login('pgbouncer')")
            script = (tree.root / "crewpay_sync/samples/pgbouncer.sql").read_text(encoding="utf-8")
            conn.execute(script.replace("crewpay_pgbouncer", asking))  # type: ignore[call-overload]
            conn.execute(f"alter role \"{asking}\" password '{PASSWORD}'")  # type: ignore[call-overload]

            with closing(socket.socket()) as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            (folder / "pgbouncer.ini").write_text(configuration(tree, port, database, asking))
            (folder / "userlist.txt").write_text(f'"{asking}" "{PASSWORD}"\n')
            (folder / "server.crt").write_text(one("select pg_read_file(current_setting('ssl_cert_file'))"))
            subprocess.run(
                ["openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=localhost",
                 "-keyout", folder / "client.key", "-out", folder / "client.crt"],
                check=True, capture_output=True,
            )  # fmt: skip
            user: dict[str, Any] = {}
            if os.getuid() == 0:  # PgBouncer refuses to run as root
                account = pwd.getpwnam("postgres")
                for path in (folder, *folder.iterdir()):
                    os.chown(path, account.pw_uid, account.pw_gid)
                user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            process = subprocess.Popen(
                [str(PGBOUNCER), "-q", "pgbouncer.ini"], cwd=folder, stdin=subprocess.DEVNULL, **user
            )
            made = Pooled(port, conn, logins, direct)
            for attempt in range(50):
                try:
                    made.open(logins["crew"]).close()
                    break
                except psycopg.OperationalError:
                    log = folder / "pgbouncer.log"
                    assert attempt < 49, log.read_text() if log.exists() else "did not start"
                    time.sleep(0.1)
            yield made
        finally:
            if process:
                process.terminate()
                process.wait(10)
            shutil.rmtree(folder)
            conn.execute("drop schema if exists pgbouncer cascade")
            suffix = f"_{conn.info.backend_pid}"
            for row in conn.execute(
                "select rolname from pg_roles where rolname like 't\\_%%' || %s", (suffix,)
            ).fetchall():
                conn.execute(f'drop owned by "{row[0]}"')  # type: ignore[call-overload]
                conn.execute(f'drop role "{row[0]}"')  # type: ignore[call-overload]


def value(conn: Connection, statement: str, *values: Any) -> Any:
    row = conn.execute(statement, values).fetchone()  # type: ignore[call-overload]
    assert row is not None
    return row[0]


CREW = "select count(*) from crew.crew_members"


def test_a_token_logs_in_for_one_transaction(pooled: Pooled) -> None:
    with pooled.client() as conn:
        assert value(conn, CREW) == 0
        conn.rollback()
        conn.execute("select auth.login(%s)", (pooled.mint(),))
        assert value(conn, "select auth.uid()") == pooled.one("select test.id('alpha_crew1')")
        assert value(conn, CREW) == 1
        conn.commit()
        assert value(conn, CREW) == 0


def test_pools_of_two_roles_see_what_their_role_may(pooled: Pooled) -> None:
    with pooled.client("crew") as crew, pooled.client("payroll") as payroll:
        crew.execute("select auth.login(%s)", (pooled.mint(),))
        payroll.execute("select auth.login(%s)", (pooled.mint("payroll", "alpha_payroll"),))
        assert (value(crew, CREW), value(payroll, CREW)) == (1, 2)


def test_the_next_client_on_the_same_connection_is_nobody(pooled: Pooled) -> None:
    with pooled.client() as first, pooled.client() as second:
        first.execute("select auth.login(%s)", (pooled.mint(),))
        process, stolen = first.execute("select pg_backend_pid(), current_setting('app.context')").fetchone()  # type: ignore[misc]
        first.commit()
        assert value(second, "select pg_backend_pid()") == process, (
            "the test needs the same server connection"
        )
        assert value(second, CREW) == 0
        second.rollback()
        second.execute("select set_config('app.context', %s, true)", (stolen,))
        with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification):
            second.execute(CREW)


def test_another_role_s_token_is_refused(pooled: Pooled) -> None:
    with pooled.client("payroll") as conn, pytest.raises(psycopg.errors.InvalidAuthorizationSpecification):
        conn.execute("select auth.login(%s)", (pooled.mint("crew"),))


def test_settings_of_a_session_don_t_reach_the_next_client(pooled: Pooled) -> None:
    with pooled.client() as first, pooled.client() as second:
        first.execute("select auth.login(%s)", (pooled.mint(),))
        process, context = first.execute("select pg_backend_pid(), current_setting('app.context')").fetchone()  # type: ignore[misc]
        first.execute("select set_config('app.context', %s, false)", (context,))
        first.execute(
            "select set_config('app.reason', 'of the first', false), set_config('search_path', 'pg_temp', false)"
        )
        first.execute("select pg_advisory_lock(5815)")
        first.execute(f"set role crewpay_{'crew'}")  # its own group, the only one it may
        first.commit()
        assert value(second, "select pg_backend_pid()") == process
        assert value(second, "select current_user::text") == pooled.logins["crew"]
        assert value(second, "select current_setting('app.reason', true)") in (None, "")
        assert value(second, "select current_setting('app.context', true)") in (None, "")
        assert "crew" in value(second, "show search_path")
        assert (
            value(
                second, "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
            )
            == 0
        )
        assert value(second, CREW) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "set role crewpay_admin", "set role crewpay_payroll", "set role crewpay_owner", "set role crewpay_definer",
        "set session authorization postgres", "create temp table t (i int)", "select * from auth.signing_keys",
        "select * from pgbouncer.user_lookup('x')",
    ],
)  # fmt: skip
def test_a_pool_gets_no_further(pooled: Pooled, statement: str) -> None:
    with pooled.client() as conn:
        conn.execute("select auth.login(%s)", (pooled.mint(),))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement)  # type: ignore[call-overload]


def test_only_pools_come_through(pooled: Pooled) -> None:
    """A direct login with the right password, a superuser, a wrong password, and no TLS."""
    for login, more in (
        (pooled.direct_login, {}),
        ("postgres", {}),
        (pooled.logins["crew"], {"password": "wrong"}),
        (pooled.logins["crew"], {"sslmode": "disable"}),
    ):
        with pytest.raises(psycopg.OperationalError):
            pooled.open(login, **more).close()
    pooled.open(pooled.logins["crew"]).close()


def test_the_server_side_is_encrypted(pooled: Pooled) -> None:
    with pooled.client() as conn:
        process = value(conn, "select pg_backend_pid()")
        assert pooled.one("select s.ssl from pg_stat_ssl s where s.pid = %s", process) is True
