"""Statements kept in `crewpay_sync/sql/*.sql`, by name: each begins with a line `-- name: something`."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources

from psycopg import sql


@lru_cache
def _file(topic: str) -> dict[str, str]:
    text = resources.files("crewpay_sync").joinpath("sql", f"{topic}.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)[^\n]*\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.strip().rstrip(";") for part in parts[2::2]), strict=True))


def query(topic: str, name: str) -> sql.SQL:
    """The statement `name` of `sql/<topic>.sql`."""
    return sql.SQL(_file(topic)[name])  # our own file, not input
