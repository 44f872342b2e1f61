"""`crewpay doctor`: is everything there that CrewPay needs? One line a check, with what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

import click
import psycopg

from crewpay_sync.database import application_target, direct_target
from crewpay_sync.deploy import runner
from crewpay_sync.output import (
    CONNECTION,
    FINDINGS,
    CrewPayError,
    json_option,
    print_error,
    print_json,
    redact,
)


@dataclass
class Check:
    """Outcome of one check."""

    name: str
    ok: bool
    says: str
    hint: str = ""


def _scalar(conn: psycopg.Connection[Any], query: str) -> Any:
    row = conn.execute(query).fetchone()
    return row[0] if row else None


def check_version(conn: psycopg.Connection[Any]) -> Check:
    version = conn.info.server_version
    return Check(
        "version",
        version >= 150000,
        f"PostgreSQL {_scalar(conn, 'show server_version')}",
        "Use PostgreSQL 15.",
    )


def check_encryption(conn: psycopg.Connection[Any]) -> Check:
    local = not conn.info.hostaddr and conn.info.host.startswith("/")
    ssl = _scalar(conn, "select coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false)")
    says = "local socket" if local else f"TLS {'on' if ssl else 'off'}"
    return Check("encryption", local or bool(ssl), says, "Add sslmode=verify-full to DATABASE_URL.")


def check_extensions(conn: psycopg.Connection[Any]) -> Check:
    wanted = {"pgcrypto", "btree_gist", "pg_stat_statements"}
    cron_here = _scalar(
        conn, "select setting = current_database() from pg_settings where name = 'cron.database_name'"
    )
    if cron_here:
        wanted.add("pg_cron")
    present = {row[0] for row in conn.execute("select extname from pg_extension").fetchall()}
    missing = sorted(wanted - present)
    says = f"missing: {', '.join(missing)}" if missing else ", ".join(sorted(wanted))
    return Check("extensions", not missing, says, "Run: crewpay db deploy")


def check_jobs(conn: psycopg.Connection[Any]) -> Check:
    here = _scalar(conn, "select setting from pg_settings where name = 'cron.database_name'")
    if here != conn.info.dbname:
        return Check(
            "jobs", False, f"pg_cron serves {here or 'no database'}",
            "Preload pg_cron and set cron.database_name to this database, then restart;"
            " or let another scheduler call: crewpay jobs run --due",
        )  # fmt: skip
    if not _scalar(
        conn, "select exists (select from pg_stat_activity where backend_type = 'pg_cron launcher')"
    ):
        return Check("jobs", False, "pg_cron's scheduler is not running", "Restart the server.")
    trouble = conn.execute(
        "select distinct name from ops.job_status where late or long or last_state in ('FAILED', 'LOST') order by 1"
    ).fetchall()
    if trouble:
        return Check(
            "jobs",
            False,
            f"late, too long or failed: {', '.join(r[0] for r in trouble)}",
            "See: crewpay jobs list",
        )
    return Check("jobs", True, "pg_cron runs jobs of this database")


def check_roles(conn: psycopg.Connection[Any]) -> Check:
    count = _scalar(conn, "select count(*) from pg_roles where rolname ~ '^crewpay_'")
    unsafe = conn.execute(
        "select rolname from pg_roles where rolname ~ '^crewpay_' and (rolsuper or rolcreaterole or rolcreatedb)"
        " or rolname in ('crewpay_owner', 'crewpay_definer') and rolcanlogin"
    ).fetchall()
    if unsafe:
        return Check(
            "roles",
            False,
            f"too powerful: {', '.join(r[0] for r in unsafe)}",
            "alter role ... nosuperuser nologin",
        )
    return Check("roles", count >= 10, f"{count} roles", "Run: crewpay db deploy")


def check_rights(conn: psycopg.Connection[Any]) -> Check:
    """Rights in the catalogue against those stated in sql/auth/role_matrix.sql."""
    found = conn.execute(
        "select 'not stated' as what, x.* from (table auth.role_rights except table auth.role_matrix) x"
        " union all"
        " select 'missing', x.* from (table auth.role_matrix except table auth.role_rights) x order by 3, 4"
    ).fetchall()
    if not found:
        return Check("rights", True, "as stated for every role")
    first = "; ".join(f"{what}: {role} {rights} on {name}" for what, _, name, role, rights in found[:3])
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return Check(
        "rights", False, first + more, "Compare auth.role_rights with auth.role_matrix; revoke or deploy."
    )


def check_deploy(conn: psycopg.Connection[Any]) -> Check:
    plan = runner.plan(direct_target())
    if plan.edited or plan.unknown:
        names = [m.id for m in plan.edited] + plan.unknown
        return Check(
            "deploy", False, f"checkout and database disagree: {', '.join(names)}", "Run: crewpay db verify"
        )
    if plan.pending:
        says = f"{len(plan.migrations)} migrations and {len(plan.units)} statements are not applied"
        return Check("deploy", False, says, "Run: crewpay db deploy")
    last = conn.execute(
        "select version, state, finished_at::timestamp(0)::text from deploy.runs order by id desc limit 1"
    ).fetchone()
    return Check("deploy", True, f"{last[0]}, {last[1]} {last[2]}" if last else "up to date")


CHECKS: list[Callable[[psycopg.Connection[Any]], Check]] = [
    check_version,
    check_encryption,
    check_extensions,
    check_jobs,
    check_roles,
    check_rights,
    check_deploy,
]


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check connection, version, extensions, roles and deploy; exit 1 when something needs attention."""
    target = direct_target()
    try:
        conn = target.connect(autocommit=True)
    except CrewPayError as error:
        if not as_json:
            raise
        print_json(
            [asdict(Check("connection", False, redact(error.detail or error.message), error.hint or ""))],
            status="error",
        )
        print_error(error)
        sys.exit(CONNECTION)
    results = [Check("connection", True, str(application_target()))]
    with closing(conn):
        for check in CHECKS:
            try:
                results.append(check(conn))
            except (psycopg.Error, CrewPayError) as error:
                name = check.__name__.removeprefix("check_")
                results.append(Check(name, False, str(error).splitlines()[0], "Run: crewpay db verify"))
    failed = any(not result.ok for result in results)
    if as_json:
        print_json([asdict(result) for result in results], status="findings" if failed else "ok")
    else:
        for result in results:
            hint = "" if result.ok or not result.hint else f"  -> {result.hint}"
            click.echo(f"{'ok  ' if result.ok else 'FAIL'}  {result.name:<11} {result.says}{hint}")
    if failed:
        sys.exit(FINDINGS)
