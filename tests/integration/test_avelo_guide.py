"""The query guide shows what its queries give. CREWPAY_WRITE_GUIDES=1 writes the outputs into it instead."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from crewpay_sync.database import Target
from crewpay_sync.importers.avelo import load_avelo, month_after

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "query-guide.md"
QUERY = re.compile(r"<!-- as (\w+)(, plan)? -->\n```sql\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)


@pytest.fixture(scope="module")
def sample(database: Target) -> Target:
    """The sample as of the last day of the server's month."""
    with closing(database.connect(autocommit=True)) as conn:
        row = conn.execute("select current_date").fetchone()
        assert row
        load_avelo(conn, today=month_after(row[0].replace(day=1)) - timedelta(days=1))
    return database


def answer(target: Target, login: str, statement: str) -> str:
    """What psql prints, as that login."""
    identity = sql.SQL("set session authorization {};\n").format(sql.Identifier(login)).as_string(None)
    conninfo, environment = target.for_programs()
    done = subprocess.run(
        ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", conninfo],
        input=identity + statement, capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.strip("\n").splitlines())


def timeless(text: str) -> list[str]:
    """The lines without dates, times and ruling, which depend on the month of the load; sorted, since rows may tie."""
    text = re.sub(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d+)?\+00)?", "DATE", text)
    return sorted(re.sub(r" +", " ", line) for line in text.splitlines() if not re.fullmatch(r"[-+]+", line))


def shape(plan: str) -> str:
    """A plan without figures."""
    return re.sub(r"\([^()]*=[^()]*\)|[\d.]+ ms|'[^']*'|[ -]+", " ", plan)


def test_guide_shows_what_its_queries_give(sample: Target) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    queries = list(QUERY.finditer(text))
    assert len(queries) >= 12
    if os.environ.get("CREWPAY_WRITE_GUIDES"):

        def filled(match: re.Match[str]) -> str:
            login, plan, statement, _ = match.groups()
            return (
                f"<!-- as {login}{plan or ''} -->\n```sql\n{statement}```\n\n"
                f"```text\n{answer(sample, login, statement)}```\n"
            )

        GUIDE.write_text(QUERY.sub(filled, text), encoding="utf-8")
        return
    for match in queries:
        login, plan, statement, shown = match.groups()
        given = answer(sample, login, statement)
        assert shown, statement
        if plan:
            assert shape(shown) == shape(given)
        else:
            assert timeless(shown) == timeless(given), statement


def test_document_queries_in_the_guide_are_the_documents() -> None:
    from tests.integration import test_avelo_queries as document

    text = GUIDE.read_text(encoding="utf-8")
    for query in (document.PAY_HISTORY, document.UNRESOLVED, document.UTILIZATION):
        assert query in text
    # The last is prepared, and so explained by name.
    assert document.EXPLAIN.removeprefix("EXPLAIN ANALYZE\n") in text


def test_comparison_sees_a_wrong_amount(sample: Target) -> None:
    query: Any = next(
        m for m in QUERY.finditer(GUIDE.read_text(encoding="utf-8")) if "FROM discrepancies" in m[3]
    )
    given = answer(sample, query[1], query[3])
    assert "748.25" in given
    assert timeless(given.replace("748.25", "748.26")) != timeless(given)
