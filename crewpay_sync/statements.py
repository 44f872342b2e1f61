"""Statements kept in `crewpay_sync/sql/*.sql`, by name: each begins with a line `-- name: something`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

Row = dict[str, Any]


@lru_cache
def _file(topic: str) -> dict[str, str]:
    text = resources.files("crewpay_sync").joinpath("sql", f"{topic}.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)[^\n]*\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.strip().rstrip(";") for part in parts[2::2]), strict=True))


def query(topic: str, name: str) -> sql.SQL:
    """The statement `name` of `sql/<topic>.sql`."""
    return sql.SQL(_file(topic)[name])  # our own file, not input


class Statements:
    """The statements of one file, and their rows as dicts; values are given by name, or whole as psycopg takes them."""

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def rows(
        self,
        conn: psycopg.Connection[Any],
        name: str,
        values: Mapping[str, Any] | Sequence[Any] | None = None,
        /,
        **named: Any,
    ) -> list[Row]:
        """Every row that the statement gives."""
        with conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query(self._topic, name), values or named or None).fetchall()

    def row(self, conn: psycopg.Connection[Any], name: str, /, **named: Any) -> Row | None:
        """Its first row, None where it gives none."""
        found = self.rows(conn, name, **named)
        return found[0] if found else None
