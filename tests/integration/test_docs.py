"""The committed SQL reference is what the database says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from crewpay_sync.docs import REFERENCE, sql_reference, write_reference


def test_reference_is_fresh(db: psycopg.Connection[Any]) -> None:
    assert REFERENCE.read_text(encoding="utf-8") == sql_reference(db), "run: make docs"


def test_reference_names_functions_tables_and_errors(db: psycopg.Connection[Any]) -> None:
    text = sql_reference(db)
    assert "#### auth.enterprise_id" in text
    assert "| employee_id | character varying(20) not null | " in text
    assert "- `crew_own_pay`: Crew see their own pay." in text
    assert "| CP001 | " in text
    assert "audit_log_20" not in text  # partitions are no interface


def test_writing_says_whether_anything_changed(tmp_path: Path) -> None:
    path = tmp_path / "docs" / "reference.md"
    assert write_reference("a\n", path)
    assert not write_reference("a\n", path)
    assert write_reference("b\n", path)
    assert path.read_text(encoding="utf-8") == "b\n"
