"""`crewpay audit`: the story of a row, and the row as it was."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import click

from crewpay_sync.cli.arguments import enterprise_option
from crewpay_sync.cli.chosen import choose_enterprise, open_database
from crewpay_sync.output import FINDINGS, json_option, print_json, say
from crewpay_sync.statements import Row, Statements
from crewpay_sync.tenants import act_as

VERBS = {
    "CREATED": "made", "UPDATED": "changed", "DELETED": "deleted", "APPROVED": "approved", "DENIED": "denied",
    "REQUESTED": "asked to approve", "WITHDRAWN": "no longer asks to approve", "SUPERSEDED": "took back the approval of",
}  # fmt: skip
# What is told of rows that this one is part of; the rest is in the JSON.
TOLD = ("status", "state", "decision_reason", "changes", "rates", "total_amount")

rows = Statements("audit").rows


def value_text(value: Any) -> str:
    """A value of the trail, on one line."""
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else "�" for c in text)


def story(entry: Row) -> list[str]:
    """One entry in words: when, who, what, why, then each column."""
    name = value_text(entry["actor_name"]) if entry["actor_name"] else None
    who = f"{name} ({entry['actor']})" if name else entry["actor"]
    happened = entry["happened_at"].astimezone(UTC)
    why = f": {value_text(entry['reason'])}" if entry["reason"] else ""
    what = f"the {entry['about']}" if entry["about"] else "it"
    lines = [f"{happened:%Y-%m-%d %H:%M:%S}Z  {who} {VERBS[entry['action']]} {what}{why}"]
    for column, value in (entry["changes"] or {}).items():
        if entry["about"] and column not in TOLD:
            continue
        if entry["action"] in ("CREATED", "DELETED") or not isinstance(value, list) or len(value) != 2:
            lines.append(f"    {column}: {value_text(value)}")
        else:
            lines.append(f"    {column}: {value_text(value[0])} → {value_text(value[1])}")
    told = [f"{k} {value_text(v)}" for k, v in (entry["claimed"] or {}).items()]
    told += [f"{name} {value_text(entry[key])}" for name, key in (("request", "request_id"), ("client", "user_agent")) if entry[key]]  # fmt: skip
    seen = [f"from {entry['ip_address']}"] if entry["ip_address"] else []
    claims = [f"the client says: {', '.join(told)}"] if told else []
    if (seen or claims) and not entry["about"]:
        lines.append(f"    ({'; '.join(seen + claims)})")
    return lines


@click.group()
def audit() -> None:
    """What happened to a row, and what it was."""


@audit.command()
@click.argument("table")
@click.argument("key", metavar="ID")
@click.option("--alone", is_flag=True, help="The row's own changes only.")
@enterprise_option
@json_option
def history(table: str, key: str, alone: bool, enterprise: str | None, as_json: bool) -> None:
    """The life of a row: when, who, what, why.

    Its own changes, and what became of what it is part of: pay periods closed and reopened, runs published, corrections
    and rates asked for and approved. TABLE is an audited table such as crew.flights; ID its key, several columns joined by a slash.
    What a client says about itself proves nothing, and is marked so. Exit code 1: nothing is recorded.
    """
    with closing(open_database()) as conn, act_as(conn, choose_enterprise(conn, enterprise), "admin"):
        entries = rows(conn, "history" if alone else "story", {"table": table, "id": key})
    if as_json:
        print_json(entries, status="ok" if entries else "findings")
    for entry in entries if not as_json else []:
        click.echo("\n".join(story(entry)))
    if not entries:
        say(f"nothing is recorded about {key} in {table}")
        sys.exit(FINDINGS)


@audit.command("row")
@click.argument("table")
@click.argument("key", metavar="ID")
@click.argument("time", metavar="TIME", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]))  # fmt: skip
@enterprise_option
@json_option
def as_of(table: str, key: str, time: datetime, enterprise: str | None, as_json: bool) -> None:
    """A row as it was at TIME (UTC): 2026-07-01, or 2026-07-01T09:30:00.

    Exit code 1: it did not exist.
    """
    values = {"table": table, "id": key, "time": time.replace(tzinfo=UTC)}
    with closing(open_database()) as conn, act_as(conn, choose_enterprise(conn, enterprise), "admin"):
        row = rows(conn, "as_of", values)[0]["row"]
    if as_json:
        print_json(row, status="ok" if row else "findings")
    for column, value in (row or {}).items() if not as_json else []:
        click.echo(f"{column}: {value_text(value)}")
    if not row:
        say(f"there was no {key} in {table} at {time:%Y-%m-%d %H:%M:%S}Z")
        sys.exit(FINDINGS)
