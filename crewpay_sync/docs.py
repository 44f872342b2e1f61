"""The SQL reference: Markdown made of the catalogue's comments, signatures, grants and policies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg

from crewpay_sync.settings import ROOT
from crewpay_sync.statements import Row, Statements

REFERENCE = ROOT / "docs" / "sql-api.md"


_VOLATILITY = {"i": "immutable", "s": "reads only", "v": ""}

_rows = Statements("api_reference").rows


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _by(rows: Iterable[Row], key: str) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return groups


def _function(row: Row) -> list[str]:
    result = f" → {row['result']}" if row["result"] else ""
    notes = (
        [f"For {', '.join(row['callers'])}."] if row["callers"] else ["For operators and other functions."]
    )
    if words := _VOLATILITY[row["volatility"]]:
        notes.append(f"{words.capitalize()}.")
    return [
        f"#### {row['schema']}.{row['name']}",
        "",
        "```sql",
        f"{row['schema']}.{row['name']}({row['arguments']}){result}",
        "```",
        *(line + "  " for line in (row["comment"] or "").splitlines()),
        f"*{' '.join(notes)}*",
        "",
    ]


def _relation(row: Row, columns: list[Row], rights: list[Row], policies: list[Row]) -> list[str]:
    lines = [f"#### {row['schema']}.{row['name']}", "", f"{_cell(row['comment'])}", ""]
    if rights:
        granted = "; ".join(f"{r['role']}: {', '.join(r['privileges'])}" for r in rights)
        lines += [f"Rights: {granted}.", ""]
    lines += ["| column | type | meaning |", "|---|---|---|"]
    for column in columns:
        kind = column["type"] + (" not null" if column["required"] else "")
        lines.append(f"| {column['name']} | {_cell(kind)} | {_cell(column['comment'])} |")
    if policies:
        lines += ["", "Rows:", *(f"- `{p['name']}`: {_cell(p['comment'])}" for p in policies)]
    return [*lines, ""]


def _schema(
    schema: Row,
    functions: list[Row],
    relations: list[Row],
    types: list[Row],
    details: dict[str, dict[Any, list[Row]]],
) -> list[str]:
    lines = [f"## {schema['name']}", "", schema["comment"] or "", ""]
    called = [f for f in functions if not f["is_trigger"]]
    triggers = [f for f in functions if f["is_trigger"]]
    if called:
        lines += ["### Functions", ""]
        for function in called:
            lines += _function(function)
    for kind, title in (("view", "Views"), ("materialized view", "Materialized views"), ("table", "Tables")):
        chosen = [r for r in relations if r["kind"] == kind]
        if chosen:
            lines += [f"### {title}", ""]
        for relation in chosen:
            oid = relation["oid"]
            lines += _relation(
                relation, details["columns"][oid], details["rights"][oid], details["policies"][oid]
            )
    if types:
        lines += ["### Types", "", "| type | values | meaning |", "|---|---|---|"]
        lines += [f"| {t['name']} | {_cell(t['definition'])} | {_cell(t['comment'])} |" for t in types]
        lines.append("")
    if triggers:
        lines += ["### Trigger functions", ""]
        lines += [f"- `{f['name']}`: {_cell((f['comment'] or '').split(chr(10))[0])}" for f in triggers]
        lines.append("")
    return lines


def sql_reference(conn: psycopg.Connection[Any]) -> str:
    """The reference of the database as Markdown; the same for every database of one checkout."""
    conn.execute("select set_config('search_path', 'pg_catalog', true)")  # types print with their schema
    schemas = _rows(conn, "schemas")
    functions = _by(_rows(conn, "functions"), "schema")
    relations = _by(_rows(conn, "relations"), "schema")
    types = _by(_rows(conn, "types"), "schema")
    details = {name: _by(_rows(conn, name), "oid") for name in ("columns", "rights", "policies")}
    schemas = [s for s in schemas if functions[s["name"]] or relations[s["name"]] or types[s["name"]]]
    lines = [
        "# SQL reference",
        "",
        "Made by `crewpay docs sql` from the comments in the database; a test keeps it fresh. Don't edit.",
        "",
        "Schemas: " + ", ".join(f"[{s['name']}](#{s['name']})" for s in schemas) + "; [errors](#errors).",
        "",
    ]
    for schema in schemas:
        name = schema["name"]
        lines += _schema(schema, functions[name], relations[name], types[name], details)
    lines += ["## Errors", "", "| code | meaning | what to do |", "|---|---|---|"]
    lines += [f"| {e['code']} | {_cell(e['title'])} | {_cell(e['hint'])} |" for e in _rows(conn, "errors")]
    return "\n".join(lines).rstrip() + "\n"


def write_reference(text: str, path: Path = REFERENCE) -> bool:
    """Writes the committed copy; False when it was fresh already."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return True
