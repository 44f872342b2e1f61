"""Deploy: cluster objects, migrations through yoyo, then the SQL tree in one transaction. Safe to run twice at once."""

from __future__ import annotations

import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg import errors, sql

from crewpay_sync import __version__
from crewpay_sync.database import Target
from crewpay_sync.deploy.plan import CLUSTER_ORDINAL, Plan, exists, make_plan, marked_by_yoyo
from crewpay_sync.deploy.source import Migration, Tree
from crewpay_sync.deploy.splitter import Statement, split
from crewpay_sync.output import CONNECTION, CrewPayError

LOCK_KEY = 0x437265775061  # "CrewPa"
LOCK_TIMEOUT = "5s"
RETRY_WAITS = (1.0, 3.0)  # seconds before the second and the third try
OWNER = "crewpay_owner"
_TRANSACTION_WORDS = {"begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"}

Say = Callable[[str], None]


@dataclass
class Result:
    """What a deploy did."""

    cluster: list[str] = field(default_factory=list)
    migrations: list[str] = field(default_factory=list)
    statements: int = 0
    version: str = ""

    @property
    def nothing(self) -> bool:
        return not (self.cluster or self.migrations or self.statements)


def tree_version(tree: Tree) -> str:
    """Package version, with the commit of the checkout when git knows it."""
    try:
        done = subprocess.run(
            ["git", "-C", str(tree.root), "describe", "--always", "--dirty"],
            capture_output=True, text=True, timeout=5, check=False,
        )  # fmt: skip
    except OSError:
        return __version__
    commit = done.stdout.strip()
    return f"{__version__}+{commit}" if done.returncode == 0 and commit else __version__


def failure(path: str, statement: Statement, error: psycopg.Error, code: str = "CP904") -> CrewPayError:
    """The database's error with file and line."""
    diag = error.diag
    line = statement.line
    if diag.statement_position:
        line += statement.text.count("\n", 0, int(diag.statement_position) - 1)
    if error.sqlstate == "CP905":
        code = "CP905"
    context = " ".join((diag.context or "").split())
    detail = "; ".join(part for part in (diag.message_detail, context) if part)
    return CrewPayError(
        code,
        f"{path}:{line}: {diag.message_primary or error} (SQLSTATE {error.sqlstate})",
        detail=detail or None,
        hint=diag.message_hint,
    )


def run_statements(conn: psycopg.Connection[Any], path: str, statements: list[Statement]) -> None:
    """Runs statements in turn; an error names file and line."""
    for statement in statements:
        try:
            conn.execute(statement.text.encode())
        except psycopg.Error as error:
            if isinstance(error, errors.LockNotAvailable | errors.DeadlockDetected):
                raise
            raise failure(path, statement, error) from error


def run_cluster_file(conn: psycopg.Connection[Any], tree: Tree, path: str) -> None:
    """One file of sql/cluster, as the operator."""
    run_statements(conn, f"sql/{path}", list(split((tree.sql / path).read_text(encoding="utf-8"))))


@contextmanager
def _deploy_lock(conn: psycopg.Connection[Any], say: Say) -> Iterator[None]:
    row = conn.execute("select pg_try_advisory_lock(%s)", (LOCK_KEY,)).fetchone()
    if not (row and row[0]):
        say("another deploy is running on this database: waiting for it")
        conn.execute("select pg_advisory_lock(%s)", (LOCK_KEY,))
    try:
        yield
    finally:
        if not conn.closed:
            conn.execute("select pg_advisory_unlock(%s)", (LOCK_KEY,))


@contextmanager
def _cluster_lock(target: Target) -> Iterator[None]:
    """Roles belong to the whole cluster: deploys of two databases take turns (a lock in database postgres)."""
    try:
        conn = target.with_(dbname="postgres").connect(autocommit=True)
    except CrewPayError:
        yield  # a server without that database, or closed to us: roles.sql copes with company by itself
        return
    with closing(conn):
        conn.execute("select pg_advisory_lock(%s)", (LOCK_KEY,))
        yield


def _check_server(conn: psycopg.Connection[Any], target: Target) -> None:
    if target.pooled:
        raise CrewPayError(
            "CP911",
            "deploy needs a connection without a pooler",
            hint="Set DIRECT_URL to the server itself.",
            exit_code=CONNECTION,
        )
    if conn.info.server_version < 150000:
        raise CrewPayError(
            "CP905", f"PostgreSQL 15 or newer is needed; the server is {conn.info.server_version // 10000}"
        )


def _apply_cluster(conn: psycopg.Connection[Any], target: Target, tree: Tree, plan: Plan, say: Say) -> None:
    with _cluster_lock(target):
        for path in plan.cluster:
            say(f"  sql/{path}")
            for attempt in range(3):
                try:
                    with conn.transaction():
                        run_cluster_file(conn, tree, path)
                    break
                except CrewPayError as error:
                    # Another database's deploy changed the same role at the same moment.
                    if attempt == 2 or "concurrently updated" not in error.message:
                        raise
                    time.sleep(RETRY_WAITS[attempt])
    with conn.transaction():
        for path in plan.cluster:
            conn.execute(
                "insert into deploy.statements (path, ordinal, sha256) values (%s, %s, %s)"
                " on conflict (path, ordinal) do update set sha256 = excluded.sha256, applied_at = now()",
                (path, CLUSTER_ORDINAL, tree.cluster_sha256(path)),
            )


class _WholeFile:
    """yoyo step: the statements of a migration, and its row in deploy.migrations in the same transaction."""

    def __init__(self, migration: Migration) -> None:
        self.migration = migration

    def apply(self, conn: psycopg.Connection[Any]) -> None:
        self._run(conn, self.migration.path.name, self.migration.text)
        conn.execute(
            "insert into deploy.migrations (id, sha256) values (%s, %s)",
            (self.migration.id, self.migration.sha256),
        )
        # Whatever sql/ had made may be gone or lack what is new: should the deploy fail after this, the next one runs all of it.
        conn.execute("delete from deploy.statements where ordinal <> %s", (CLUSTER_ORDINAL,))

    def rollback(self, conn: psycopg.Connection[Any]) -> None:
        self._run(conn, self.migration.rollback.name, self.migration.rollback.read_text(encoding="utf-8"))
        conn.execute("delete from deploy.migrations where id = %s", (self.migration.id,))
        conn.execute("delete from deploy.statements where ordinal <> %s", (CLUSTER_ORDINAL,))

    def _run(self, conn: psycopg.Connection[Any], name: str, text: str) -> None:
        # Names are written with their schema: nothing may land in a schema by accident.
        conn.execute("set search_path = ''")
        conn.execute("set client_min_messages = warning")
        run_statements(conn, f"migrations/{name}", list(split(text)))


@contextmanager
def _yoyo(conn: psycopg.Connection[Any], target: Target) -> Iterator[Any]:
    """yoyo's backend acting as the owner; a lock row that a killed run left behind is removed first."""
    from yoyo import get_backend

    if exists(conn, "yoyo.yoyo_lock"):
        conn.execute("delete from yoyo.yoyo_lock")  # we hold the advisory lock: nobody else is at work
    options = " ".join(
        part
        for part in (target.as_dict().get("options"), f"-c role={OWNER}", f"-c lock_timeout={LOCK_TIMEOUT}")
        if part
    )
    url = target.yoyo_url(schema="yoyo", options=options, application_name="crewpay deploy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with get_backend(url) as backend, backend.lock():
            yield backend


def _yoyo_migration(migration: Migration) -> Any:
    from yoyo.migrations import Migration as YoyoMigration
    from yoyo.migrations import MigrationStep, Transactionless, TransactionWrapper

    step = _WholeFile(migration)
    wrapped = YoyoMigration(migration.id, str(migration.path), str(migration.path.parent))
    wrapper = TransactionWrapper if migration.transactional else Transactionless
    wrapped.use_transactions = migration.transactional
    wrapped._depends = set()
    wrapped.steps = [wrapper(MigrationStep(0, step.apply, step.rollback))]
    return wrapped


def _with_retries(work: Callable[[], None], say: Say, what: str) -> None:
    """Three tries where a lock was not to be had; the wait between them lets others finish."""
    for wait in (*RETRY_WAITS, None):
        try:
            work()
            return
        except (errors.LockNotAvailable, errors.DeadlockDetected) as error:
            if wait is None:
                raise CrewPayError(
                    "CP906",
                    f"{what}: a lock was not to be had in {LOCK_TIMEOUT}, three times",
                    detail=error.diag.message_primary,
                    hint="Find the session that holds it (pg_blocking_pids), then repeat the deploy.",
                ) from error
            say(f"  {what}: waiting for a lock, trying again in {wait:g} s")
            time.sleep(wait)


def _apply_migrations(
    conn: psycopg.Connection[Any], target: Target, plan: Plan, say: Say, done: list[str]
) -> None:
    for migration in plan.unrecorded:
        conn.execute(
            "insert into deploy.migrations (id, sha256) values (%s, %s)", (migration.id, migration.sha256)
        )
    if not (plan.migrations or plan.unmarked):
        return
    with _yoyo(conn, target) as backend:
        if plan.unmarked:
            backend.mark_migrations([_yoyo_migration(m) for m in plan.unmarked])
        for migration in plan.migrations:
            say(f"  migrations/{migration.path.name}")
            _with_retries(
                lambda m=migration: backend.apply_one(_yoyo_migration(m)),  # type: ignore[misc]
                say,
                f"migrations/{migration.path.name}",
            )
            done.append(migration.id)


def _project_schemas(conn: psycopg.Connection[Any]) -> list[str]:
    rows = conn.execute(
        "select nspname from pg_namespace where nspowner = %s::regrole and nspname not in ('deploy', 'yoyo')",
        (OWNER,),
    ).fetchall()
    return [row[0] for row in rows]


def _apply_sql(target: Target, tree: Tree, plan: Plan) -> int:
    """The statements of sql/, all in one transaction, as the owner."""
    with closing(target.connect(prepare_threshold=None, application_name="crewpay deploy")) as conn:
        conn.add_notice_handler(lambda _: None)
        with conn.transaction():
            become_owner = sql.SQL("set local role {}").format(sql.Identifier(OWNER))
            conn.execute(become_owner)
            conn.execute(sql.SQL("set local lock_timeout = {}").format(LOCK_TIMEOUT))
            conn.execute("set local client_min_messages = warning")
            # To become owner of a function, a role needs CREATE on its schema: only while this runs.
            schemas = sql.SQL(", ").join(sql.Identifier(name) for name in _project_schemas(conn))
            if plan.units and schemas.as_string(conn):
                conn.execute(
                    sql.SQL("grant create on schema {} to crewpay_definer, crewpay_jobs").format(schemas)
                )
            for unit in plan.units:
                for statement in unit.statements:
                    if statement.words[0] in _TRANSACTION_WORDS:
                        raise CrewPayError(
                            "CP904",
                            f"sql/{unit.path}:{statement.line}: {statement.words[0]} is not allowed here",
                            detail="All of sql/ runs in one transaction, which deploy itself ends.",
                        )
                run_statements(conn, f"sql/{unit.path}", list(unit.statements))
                if any(s.words[0] in {"set", "reset"} for s in unit.statements):
                    conn.execute(become_owner)
            if plan.units and schemas.as_string(conn):
                conn.execute(
                    sql.SQL("revoke create on schema {} from crewpay_definer, crewpay_jobs").format(schemas)
                )
            _record_units(conn, tree, plan)
    return sum(len(unit.statements) for unit in plan.units)


def _record_units(conn: psycopg.Connection[Any], tree: Tree, plan: Plan) -> None:
    """The table of statements becomes exactly the tree's; unchanged rows keep their time."""
    ran = {(u.path, u.ordinal) for u in plan.units}
    units = tree.units()
    conn.execute(
        "create temporary table _units (path text, ordinal integer, sha256 text, ran boolean) on commit drop"
    )
    with conn.cursor() as cursor, cursor.copy("copy _units from stdin") as copy:
        for unit in units:
            copy.write_row((unit.path, unit.ordinal, unit.sha256, (unit.path, unit.ordinal) in ran))
    conn.execute(
        "delete from deploy.statements s where ordinal <> %s and not exists ("
        "select from _units u where (u.path, u.ordinal, u.sha256) = (s.path, s.ordinal, s.sha256) and not u.ran)",
        (CLUSTER_ORDINAL,),
    )
    conn.execute(
        "insert into deploy.statements (path, ordinal, sha256) select path, ordinal, sha256 from _units"
        " on conflict (path, ordinal) do nothing"
    )


def deploy(
    target: Target, tree: Tree | None = None, *, say: Say = lambda _: None, with_sql: bool = True
) -> Result:
    """Brings the database to the state of the tree. Nothing happens when it is there already."""
    tree = tree or Tree()
    result = Result(version=tree_version(tree))
    with closing(target.connect(autocommit=True, application_name="crewpay deploy")) as conn:
        conn.add_notice_handler(lambda _: None)
        _check_server(conn, target)
        with _deploy_lock(conn, say):
            plan = make_plan(conn, tree, sql=with_sql)
            plan.refuse()
            if plan.empty:
                return result
            if plan.cluster:
                say("cluster:")
                _apply_cluster(conn, target, tree, plan, say)
                result.cluster = plan.cluster
            _run(conn, target, tree, plan, result, say, with_sql)
    return result


def _pause_jobs(
    conn: psycopg.Connection[Any], until: datetime | None, say: Say, *, end: bool = False
) -> bool:
    """Scheduled jobs don't start while we work, nor before an operator's own pause is over; a deploy that dies is waited out.

    False where the database can't: it is new, or an earlier deploy ended between its migrations and sql/ and functions are behind their tables.
    """
    row = conn.execute("select to_regprocedure('ops.pause_jobs(interval, text)') is not null").fetchone()
    if not (row and row[0]):
        return False
    try:
        conn.execute(
            "select ops.pause_jobs(greatest(%s::interval, %s::timestamptz - clock_timestamp()), %s)",
            ("0" if end else "30 minutes", until, "as before the deploy" if end and until else "deploy"),
        )
    except psycopg.Error as error:
        say(f"scheduled jobs go on as they are: {error.diag.message_primary}")
        return False
    return True


def _paused_until(conn: psycopg.Connection[Any]) -> datetime | None:
    """Until when an operator has paused the jobs; a pause that a killed deploy left behind is none."""
    with suppress(psycopg.Error):  # a new database, or one whose tables are older than these columns
        row = conn.execute(
            "select (value #>> '{}')::timestamptz from platform.system_configs"
            " where key = 'ops.jobs_paused_until' and tenant_id is null and is_active and description not like '%: deploy'"
        ).fetchone()
        return row[0] if row else None
    return None


def _wake_scheduler(conn: psycopg.Connection[Any]) -> None:
    """pg_cron's scheduler may have read its list while there was none yet, and then sleeps for good; a reload wakes it."""
    if exists(conn, "cron.job"):
        with suppress(errors.InsufficientPrivilege):  # an operator who may not: the runbook says what to do
            conn.execute("select pg_reload_conf()")


def _run(
    conn: psycopg.Connection[Any],
    target: Target,
    tree: Tree,
    plan: Plan,
    result: Result,
    say: Say,
    with_sql: bool,
) -> None:
    """Migrations and statements, recorded in deploy.runs whatever happens."""
    conn.execute(
        "update deploy.runs set state = 'failed', error = 'interrupted', finished_at = now() where state = 'running'"
    )
    row = conn.execute(
        "insert into deploy.runs (version) values (%s) returning id", (result.version,)
    ).fetchone()
    assert row is not None  # noqa: S101
    run = row[0]
    until = _paused_until(conn)
    paused = _pause_jobs(conn, until, say)
    try:
        if plan.migrations:
            say("migrations:")
        _apply_migrations(conn, target, plan, say, result.migrations)
        if with_sql and (plan.units or plan.stale_rows):
            if plan.units:
                count = sum(len(u.statements) for u in plan.units)
                say(f"sql: {count} statement{'s' if count != 1 else ''} in one transaction")

            def work() -> None:
                result.statements = _apply_sql(target, tree, plan)

            _with_retries(work, say, "sql/")
    except BaseException as error:
        conn.execute(
            "update deploy.runs set state = 'failed', finished_at = now(), error = %s, migrations = %s where id = %s",
            (str(error) or type(error).__name__, result.migrations, run),
        )
        raise
    finally:
        if paused and not conn.closed:
            _pause_jobs(conn, until, say, end=True)
    _wake_scheduler(conn)
    conn.execute(
        "update deploy.runs set state = 'succeeded', finished_at = now(), migrations = %s, statements = %s where id = %s",
        (result.migrations, result.statements, run),
    )


def plan(target: Target, tree: Tree | None = None) -> Plan:
    """What deploy would do now."""
    with closing(target.connect(autocommit=True)) as conn:
        return make_plan(conn, tree or Tree())


def rollback(
    target: Target, tree: Tree | None = None, *, keep: int = 0, say: Say = lambda _: None
) -> list[str]:
    """Rolls migrations back, newest first, until `keep` are left. What sql/ made is not removed first."""
    tree = tree or Tree()
    done: list[str] = []
    with (
        closing(target.connect(autocommit=True, application_name="crewpay deploy")) as conn,
        _deploy_lock(conn, say),
        _yoyo(conn, target) as backend,
    ):
        marked = marked_by_yoyo(conn)
        for migration in reversed([m for m in tree.migrations() if m.id in marked][keep:]):
            say(f"  migrations/{migration.rollback.name}")
            backend.rollback_one(_yoyo_migration(migration))
            done.append(migration.id)
    return done
