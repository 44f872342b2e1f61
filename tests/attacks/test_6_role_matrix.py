"""What roles may do is what sql/auth/role_matrix.sql states."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import tuple_row

FILE = Path(__file__).resolve().parents[2] / "sql" / "auth" / "role_matrix.sql"
ACTUAL = """
select kind, object, array_agg(role order by role)::text, rights from auth.role_rights
group by kind, object, rights order by kind, object, rights
"""


def test_matrix_is_what_the_catalogue_has(db: psycopg.Connection[Any], write: bool) -> None:
    with db.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(ACTUAL).fetchall()
    stated = ",\n".join(
        "  ({})".format(", ".join("'{}'".format(v.replace("'", "''")) for v in row)) for row in rows
    )
    text = FILE.read_text(encoding="utf-8")
    fresh = re.sub(
        r"(from \(values\n).*?(\n\) as m \()", lambda m: m[1] + stated + m[2], text, flags=re.DOTALL
    )
    if write:
        FILE.write_text(fresh, encoding="utf-8")
    assert fresh == text or write, (
        "grants changed: CREWPAY_WRITE_DOCS=1 pytest tests/attacks/test_6_role_matrix.py, and read the diff"
    )


def test_nobody_but_the_catalogue_is_asked(db: psycopg.Connection[Any]) -> None:
    """Control: a grant that nobody stated, and one taken away, show as differences."""
    difference = "select role from (select * from auth.role_rights except select * from auth.role_matrix) x where object = 'crew.flights'"
    assert db.execute(difference).fetchall() == []
    db.execute("grant truncate on crew.flights to crewpay_bi")
    assert db.execute(difference).fetchall() == [("crewpay_bi",)]
    db.execute("revoke all on crew.flights from crewpay_bi")
    missing = "select role from (select * from auth.role_matrix except select * from auth.role_rights) x where object = 'crew.flights'"
    assert db.execute(missing).fetchall() == [("crewpay_bi",)]
    db.rollback()
