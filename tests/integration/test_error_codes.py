"""Every CPnnn that the command line raises is in the catalogue (those of functions: tests/pgtap/00_catalog)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg

PACKAGE = Path(__file__).resolve().parents[2] / "crewpay_sync"


def test_codes_of_the_command_line_are_catalogued(db: psycopg.Connection[Any]) -> None:
    catalogued = {row[0] for row in db.execute("select code from ops.error_codes").fetchall()}
    raised = {
        code
        for path in PACKAGE.rglob("*.py")
        for code in re.findall(r"[\"'](CP\d{3})[\"']", path.read_text(encoding="utf-8"))
    }
    assert raised, "found none: does the pattern still fit?"
    assert raised <= catalogued
