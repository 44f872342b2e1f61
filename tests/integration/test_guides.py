"""The guides say what the program says: commands in ```console blocks are run and their output compared.

CREWPAY_WRITE_GUIDES=1 writes the output into the files instead.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from crewpay_sync.cli import cli
from crewpay_sync.database import Target
from crewpay_sync.settings import ROOT
from crewpay_sync.tenants import act_as, ensure_enterprise, ensure_standard_logins

WRITE = bool(os.environ.get("CREWPAY_WRITE_GUIDES"))
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONTRACTS = ROOT / "docs" / "contracts.md"


@pytest.fixture(scope="module")
def environment(database: Target) -> dict[str, str]:
    here = {**os.environ, "DATABASE_URL": database.conninfo, "DIRECT_URL": "", "PGAPPNAME": "crewpay"}
    here["PATH"] = f"{Path(sys.executable).parent}:{here['PATH']}"
    for command in ("import nycflights", "pay run 2013-01"):
        done = subprocess.run(
            ["crewpay", *command.split()], env=here, capture_output=True, text=True, check=False
        )
        assert done.returncode in (0, 1), done.stderr
    return here


def as_run(block: str, environment: dict[str, str]) -> str:
    """The block with the output that its commands give now."""
    shown = []
    for line in block.splitlines():
        if not line.startswith("$ "):
            continue
        done = subprocess.run(
            ["bash", "-c", line[2:]], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, text=True, check=False, timeout=120,
        )  # fmt: skip
        shown += [line, *(output.rstrip() for output in done.stdout.rstrip().splitlines())]
    return "\n".join(shown) + "\n"


# contracts.md comes last: its commands change the contract.
@pytest.mark.parametrize("name", ["README.md", "docs/runbook.md", "docs/contracts.md"])
def test_commands_print_what_the_guide_shows(name: str, environment: dict[str, str]) -> None:
    path = ROOT / name
    text = path.read_text(encoding="utf-8")
    fresh = CONSOLE.sub(lambda block: f"```console\n{as_run(block[1], environment)}```", text)
    if WRITE:
        path.write_text(fresh, encoding="utf-8")
    else:
        assert text == fresh, "run: CREWPAY_WRITE_GUIDES=1 pytest tests/integration/test_guides.py"


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield " ".join(("crewpay", *path))
        return
    for name in command.list_commands(click.Context(command)):
        found = command.get_command(click.Context(command), name)
        assert found is not None
        yield from leaves(found, (*path, name))


def test_readme_lists_every_command() -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8").split("## Commands")[1].split("## Settings")[0]
    listed = re.findall(r"`(crewpay [a-z -]+)`", table)
    assert sorted(listed) == sorted(leaves(cli))


DOCUMENTS = sorted(
    str(p.relative_to(ROOT)) for folder in (".", "docs", "sql", "graph", "migrations") for p in (ROOT / folder).glob("*.md")
)  # fmt: skip


def anchors(path: Path) -> set[str]:
    """What headings are linked by."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.strip().lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    path = ROOT / name
    for link in re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
        if "://" not in link:
            file, _, heading = link.partition("#")
            target = path.parent / file if file else path
            assert target.exists(), link
            assert not heading or heading in anchors(target), link


def test_names_in_the_database_exist(database: Target) -> None:
    """schema.name in a document is a function, table, view or type; a fact or setting; or one of these."""
    with closing(database.connect(autocommit=True)) as conn:
        schemas = [r[0] for r in conn.execute("select nspname from pg_namespace where nspowner = 'crewpay_owner'::regrole")]  # fmt: skip
        known = {
            r[0]
            for r in conn.execute(
                "select n.nspname || '.' || x.name from pg_namespace as n join ("
                " select pronamespace, proname from pg_proc union select relnamespace, relname from pg_class"
                " union select typnamespace, typname from pg_type) as x (schema, name) on x.schema = n.oid"
                " union select level || '.' || name from rules.facts union select key from platform.system_configs"
            )
        }
    known |= {
        "graph.rejected",
        "graph.dead_letters",
        "review.payroll_missing",
        "review.check",
    }  # alerts, a kind of setting
    known |= {"pay.duty_credit"}  # the example of sql/README.md
    wanted = re.compile(rf"(?<![\w./-])(?:{'|'.join(schemas)})\.[a-z_0-9]+\b(?!\.)")
    for name in DOCUMENTS:
        for found in wanted.findall((ROOT / name).read_text(encoding="utf-8")):
            assert found in known or found.endswith((".csv", ".sql", ".md", ".yaml")), (name, found)


# ---- docs/contracts.md ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def airline(database: Target, environment: dict[str, str]) -> Iterator[psycopg.Connection[Any]]:
    """An enterprise without a contract of its own; the connection is its administrator's."""
    with closing(database.connect(autocommit=True, row_factory=dict_row)) as conn:
        tenant = ensure_enterprise(conn, "guide", "Guide Air")
        ensure_standard_logins(conn, tenant, "guide")
        with act_as(conn, "guide", "admin"):
            yield conn


def term(number: int, formula: dict[str, Any]) -> dict[str, Any]:
    return {
        "code": f"G_{number}", "category": "CREDIT", "title": "Example", "text": "Example.",
        "applies_to": ["CAPTAIN"], "effective": "2013-01-01", "formula": formula,
    }  # fmt: skip


def load(conn: psycopg.Connection[Any], formulas: list[dict[str, Any]]) -> None:
    """Compiles the formulas as one contract, and leaves nothing."""
    contract = {"terms": [term(number, formula) for number, formula in enumerate(formulas)]}
    with conn.transaction(force_rollback=True):
        conn.execute("select rules.load_contract(%s)", (Jsonb(contract),))


def formula_blocks() -> list[list[dict[str, Any]]]:
    text = CONTRACTS.read_text(encoding="utf-8")
    return [
        [json.loads(line) for line in block.splitlines() if line.strip()]
        for block in re.findall(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


def refused_rows() -> list[tuple[str, str]]:
    text = CONTRACTS.read_text(encoding="utf-8").split("## What is refused")[1]
    return re.findall(r"^\| `([\[{].*?[\]}])` \| (CP\d+) \|", text, re.MULTILINE)


@pytest.mark.parametrize("number", range(len(formula_blocks())))
def test_examples_compile(number: int, airline: psycopg.Connection[Any]) -> None:
    load(airline, formula_blocks()[number])


@pytest.mark.parametrize(("formula", "code"), refused_rows())
def test_refused_examples_are_refused(formula: str, code: str, airline: psycopg.Connection[Any]) -> None:
    given = json.loads(formula)
    with pytest.raises(psycopg.Error) as refused:
        load(airline, given if isinstance(given, list) else [given])
    assert refused.value.sqlstate == code
    assert refused.value.diag.message_hint


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def tables(conn: psycopg.Connection[Any]) -> dict[str, str]:
    """Tables made from the catalogue: presets and facts."""
    types = conn.execute("select * from rules.formula_types order by kind, name").fetchall()
    presets = [t for t in types if t["template"] and t["name"] != t["kind"]]
    lines = ["| preset | kind | parameters (required in bold) | means |", "|---|---|---|---|"]
    for t in presets:
        names = ", ".join(f"**{p}**" if p in t["required"] else p for p in t["parameters"])
        lines.append(f"| `{t['name']}` | {t['kind']} | {names} | {cell(t['description'])} |")
    facts = conn.execute(
        "select * from rules.facts order by array_position(array['leg', 'duty', 'day', 'trip', 'period', 'month', 'quarter', 'year', 'crew'], level), name"
    ).fetchall()
    fact_lines = ["| level | name | type | meaning |", "|---|---|---|---|"]
    for f in facts:
        if (
            "_offset" in f["name"]
            or f["name"].endswith("_change")
            or f["name"] in ("version_day", "first_day")
            or f["description"].startswith("Internal")
        ):
            continue  # the engine's own
        kind = {"int": "number", "numeric": "number", "text": "text", "bool": "true/false"}[f["value_type"]]
        kind = "minutes" if f["unit"] == "min" else kind
        marks = (" Σ" if f["sums_upward"] else "") + (" ?" if f["nullable"] else "")
        fact_lines.append(f"| {f['level']} | `{f['name']}` | {kind}{marks} | {cell(f['description'])} |")
    return {"presets": "\n".join(lines), "facts": "\n".join(fact_lines)}


def test_tables_are_those_of_the_catalogue(airline: psycopg.Connection[Any]) -> None:
    text = fresh = CONTRACTS.read_text(encoding="utf-8")
    for name, table in tables(airline).items():
        fresh, found = re.subn(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)",
            lambda m, t=table: m[1] + t + "\n" + m[2],
            fresh,
            flags=re.DOTALL,
        )
        assert found == 1, name
    if WRITE:
        CONTRACTS.write_text(fresh, encoding="utf-8")
    else:
        assert text == fresh, "run: CREWPAY_WRITE_GUIDES=1 pytest tests/integration/test_guides.py"


@pytest.mark.parametrize("name", ["formula", "contract"])
def test_schemas_are_those_of_the_catalogue(name: str, airline: psycopg.Connection[Any]) -> None:
    path = ROOT / "docs" / f"{name}.schema.json"
    row = airline.execute(f"select rules.{name}_schema() as schema").fetchone()
    assert row is not None
    fresh = json.dumps(row["schema"], indent=2, ensure_ascii=False) + "\n"
    if WRITE:
        path.write_text(fresh, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == fresh, "run: make docs"
