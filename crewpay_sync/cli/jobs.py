"""`crewpay jobs`: scheduled work without waiting for the scheduler, and without pg_cron at all."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import Any

import click
import psycopg

from crewpay_sync.database import connect
from crewpay_sync.output import (
    FINDINGS,
    USAGE,
    CrewPayError,
    from_database,
    json_option,
    print_error,
    print_json,
    print_table,
    say,
)
from crewpay_sync.statements import Statements, query

_rows = Statements("jobs").rows


def scheduler(conn: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """The connection as crewpay_jobs: jobs run with the scheduler's rights, whoever starts them."""
    if conn.info.user != "crewpay_jobs":
        conn.execute(query("jobs", "become_scheduler"))
    return conn


@click.group()
def jobs() -> None:
    """Scheduled work: list, run, pause."""


@jobs.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """Every job with its schedule (GMT) and its last run; exit 1 when one is late, too long or failed."""
    with closing(connect(direct=True, autocommit=True)) as conn:
        found = _rows(conn, "list")
        paused = _rows(conn, "paused_until")[0]["jobs_paused_until"]
    trouble = any(row["late"] or row["long"] or row["last_state"] in {"FAILED", "LOST"} for row in found)
    print_table(found, as_json=as_json, status="findings" if trouble else "ok", paused_until=paused)
    if paused:
        say(f"paused until {paused:%Y-%m-%d %H:%M} UTC")
    if trouble:
        sys.exit(FINDINGS)


@jobs.command("run")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--due", is_flag=True, help="Run what is due: for cron(8) or systemd where there is no pg_cron."
)
@json_option
def run_command(names: tuple[str, ...], due: bool, as_json: bool) -> None:
    """Run jobs now, as the scheduler would; exit 1 when one failed."""
    if bool(names) == due:
        raise click.UsageError("name jobs, or say --due")
    done: list[dict[str, Any]] = []
    refused: list[str] = []
    with closing(connect(direct=True, autocommit=True)) as conn:
        conn.add_notice_handler(
            lambda told: refused.append(told.message_primary or "") if told.sqlstate == "CP332" else None
        )
        for name in names:
            if not _rows(conn, "known", (name,)):
                raise CrewPayError(
                    "CP330", f"there is no job {name}", hint="List them: crewpay jobs list", exit_code=USAGE
                )
        chosen = names or tuple(row["name"] for row in _rows(conn, "due"))
        scheduler(conn)
        for name in chosen:
            refused.clear()
            try:
                conn.execute(query("jobs", "run"), (name,))
            except psycopg.Error as error:
                failure = from_database(error)
                done.append({"job": name, "state": "failed", "code": failure.code, "error": failure.detail})
                if not as_json:
                    print_error(failure)
            else:
                code, why = ("CP332", "; ".join(refused)) if refused else (None, None)
                done.append(
                    {"job": name, "state": "not started" if why else "done", "code": code, "error": why}
                )
                if not as_json:
                    say(f"{name}: {f'not started: {why}' if why else 'done'}")
    failed = any(row["state"] == "failed" for row in done)
    if as_json:
        print_json(done, status="findings" if failed else "ok")
    if failed:
        sys.exit(FINDINGS)


@jobs.command()
@click.argument("name", required=False)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@json_option
def history(name: str | None, limit: int, as_json: bool) -> None:
    """The last runs, of all jobs or of one."""
    with closing(connect(direct=True, autocommit=True)) as conn:
        print_table(_rows(conn, "history", {"job": name, "limit": limit}), as_json=as_json)


def _paused(minutes: int, reason: str, as_json: bool) -> None:
    """Sets how long jobs don't start, and says so."""
    with closing(connect(direct=True, autocommit=True)) as conn:
        conn.execute(query("jobs", "pause"), (minutes, reason))
        until = _rows(conn, "paused_until")[0]["jobs_paused_until"]
    if as_json:
        print_json({"paused_until": until})
    else:
        say(f"jobs are paused until {until:%Y-%m-%d %H:%M} UTC" if until else "jobs start again")


@jobs.command()
@click.option("--minutes", default=60, show_default=True, type=click.IntRange(1, 1440))
@click.option("--reason", required=True, help="For the audit trail.")
@json_option
def pause(minutes: int, reason: str, as_json: bool) -> None:
    """Keep jobs from starting for a while; what runs goes on."""
    _paused(minutes, reason, as_json)


@jobs.command()
@json_option
def resume(as_json: bool) -> None:
    """Let jobs start again."""
    _paused(0, "resumed", as_json)
