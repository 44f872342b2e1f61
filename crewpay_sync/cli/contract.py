"""`crewpay contract`: load, compare, try and export the contract of an enterprise, and read what it was compiled to."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import yaml
from psycopg.types.json import Jsonb

from crewpay_sync.cli.arguments import enterprise_option, parse_month
from crewpay_sync.cli.chosen import choose_enterprise, open_database
from crewpay_sync.importers.contract import KEYS, PLAIN, load_contract, read_contract
from crewpay_sync.output import FINDINGS, CrewPayError, json_option, print_json, print_table, say
from crewpay_sync.statements import Row, Statements
from crewpay_sync.tenants import act_as

file_argument = click.argument("file", type=click.Path(path_type=Path))  # read_contract() says what is wrong

rows = Statements("contract").rows


@click.group()
def contract() -> None:
    """Load, compare, test, cost and export contracts."""


@contract.command()
@file_argument
@click.option("--ask", "reason", metavar="REASON", help="Ask a second person to load it (crewpay pay rates).")
@enterprise_option
@json_option
def load(file: Path, reason: str | None, enterprise: str | None, as_json: bool) -> None:
    """Load the contract in FILE: terms as new versions, the rule graph as a new generation; whole or not at all.

    What is in force already stays; loading the same file again changes nothing. Once an airline pays by its contract
    (a run was approved), one person can't load another (CP320): --ask says why, and a second person applies it.
    """
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        if reason is None:
            done = load_contract(conn, slug, file)
        else:
            with act_as(conn, slug, "admin"):
                done = rows(conn, "ask", {"contract": Jsonb(read_contract(file)), "reason": reason})[0]
    if as_json:
        print_json(done, enterprise=slug)
        return
    for warning in done.pop("warnings", []):
        click.echo(f"warning: {warning}", err=True)
    print_table([done])


def shown(value: Any) -> str:
    """A value of a difference, on one line."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def print_changes(changes: list[Row]) -> None:
    """Differences for people: a heading for each clause or row, a line for each field."""
    heading = None
    for change in changes:
        place = (change["part"], change["code"], change["effective"], change["change"])
        if place != heading:
            since = f" from {change['effective']}" if change["effective"] else ""
            part = "" if change["part"] == "terms" else f" ({change['part']})"
            click.echo(f"{change['change']:8} {change['code']}{since}{part}")
            heading = place
        if change["field"]:
            click.echo(
                f"           {change['field']}: {shown(change['old_value']) or '(none)'}"
                f" → {shown(change['new_value']) or '(none)'}"
            )


@contract.command()
@file_argument
@enterprise_option
@json_option
def diff(file: Path, enterprise: str | None, as_json: bool) -> None:
    """Compare the contract in FILE with what is on record: what loading it would add and change, field by field.

    "removed" is on record and not in the file; loading leaves it (a term ends by its `expires`). Exit code 1: there
    are differences.
    """
    wanted = read_contract(file)
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, "admin"):
            changes = rows(conn, "diff", {"contract": Jsonb(wanted)})
    if as_json:
        print_json(changes, status="findings" if changes else "ok", enterprise=slug)
    else:
        print_changes(changes)
    if changes:
        sys.exit(FINDINGS)
    say("no difference")


class _Dumper(yaml.SafeDumper):
    """YAML as the samples are written: rows as blocks, formulas and lists on one line."""


class _Flow(dict[str, Any]):
    """A mapping on one line."""


class _Line(list[Any]):
    """A list on one line."""


_Dumper.add_representer(
    _Flow, lambda d, value: d.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=True)
)
_Dumper.add_representer(
    _Line, lambda d, value: d.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True)
)
for _tag, _form, _first in PLAIN:  # text that the reader would take for something else is quoted
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _form, _first)


def _flow(value: Any) -> Any:
    if isinstance(value, dict):
        first = {"type": value["type"]} if "type" in value else {}
        return _Flow({**first, **{key: _flow(item) for key, item in value.items()}})
    return _Line([_flow(item) for item in value]) if isinstance(value, list) else value


def as_yaml(document: dict[str, Any]) -> str:
    """A contract document as YAML, in the order in which contracts are written."""
    written = {
        part: [
            {key: _flow(row[key]) for key in KEYS[part] if key in row}
            if part == "terms"
            else _Flow({key: _flow(row[key]) for key in KEYS[part] if key in row})
            for row in document[part]
        ]
        for part in KEYS
        if part in document
    }
    return yaml.dump(written, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=160)


@contract.command()
@enterprise_option
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), help="Only versions in force on this day.")
@click.option("--at", type=click.DateTime(), help="As it was on record at this time.  [default: now]")
@json_option
def export(enterprise: str | None, on: datetime | None, at: datetime | None, as_json: bool) -> None:
    """Print the contract as YAML that `crewpay contract load` takes; loading it again changes nothing."""
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, "admin"):
            document = rows(conn, "export", {"on": on and on.date(), "at": at})[0]["contract"]
    if as_json:
        print_json(document, enterprise=slug)
    else:
        click.echo(as_yaml(document), nl=False)


import crewpay_sync.cli.what_if  # noqa: E402, F401  (one more command of this group)


@contract.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@enterprise_option
@json_option
def test(file: Path | None, enterprise: str | None, as_json: bool) -> None:
    """Recompute the examples of the interpretations by the contract in force, or by the one in FILE without loading it.

    The terms of FILE are compiled, those that no example needs as well.

    Exit code 1: an example does not hold.
    """
    wanted = None if file is None else read_contract(file)
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, "admin"):
            found = (
                rows(conn, "verify") if wanted is None else rows(conn, "test", {"contract": Jsonb(wanted)})
            )
    wrong = [row for row in found if not row["holds"]]
    if as_json:
        print_json(found, status="findings" if wrong else "ok", enterprise=slug)
    else:
        for row in found:
            name = row["interpretation_code"] or row["scenario_description"]
            click.echo(f"{'holds' if row['holds'] else row['code']:6} {name}")
            if row["detail"]:
                click.echo(f"       {row['detail']}")
        compiled = "" if wanted is None else "the terms compile; "
        say(f"{compiled}{len(found) - len(wrong)} of {len(found)} examples hold")
    if wrong:
        sys.exit(FINDINGS)


@contract.command("compile")
@click.argument("month")
@click.option(
    "--position", required=True, metavar="POSITION", help="One of the positions that are paid alike."
)
@click.option("--explain", is_flag=True, help="How PostgreSQL would execute it.")
@click.option("--analyze", is_flag=True, help="How PostgreSQL did execute it, with times and buffers.")
@enterprise_option
@json_option
def compile_(
    month: str, position: str, explain: bool, analyze: bool, enterprise: str | None, as_json: bool
) -> None:
    """Print what the contract in force is compiled to for MONTH (2013-01): one SELECT a stage, each reads those before it."""
    day = parse_month(month).day
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, "admin"):
            periods = rows(conn, "periods", {"first": day, "last": day})
            if not periods:
                raise CrewPayError(
                    "CP214", f"there is no pay period in {month}", hint="List them: crewpay pay periods"
                )
            known = [row["position"] for row in rows(conn, "positions")]
            if position not in known:
                raise click.BadParameter(
                    f"{position!r} is none of {', '.join(known)}", param_hint="--position"
                )
            asked = {"period": periods[-1]["id"], "position": position, "analyze": analyze}
            found = rows(conn, "explain_compiled" if explain or analyze else "compiled", asked)
    if as_json:
        print_json(found, enterprise=slug)
    elif explain or analyze:
        for row in found:
            click.echo(row["plan"])
    else:
        for row in found:
            click.echo(f"-- {row['name']}\n{row['statement']};\n")
