"""Airports of the world: IATA and ICAO codes, time zone and country, from the airportsdata package."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import psycopg
from airportsdata import Airport, load

from crewpay_sync.statements import query


@lru_cache
def airports() -> dict[str, Airport]:
    """All airports that have an IATA code of three letters, by that code."""
    return {code: a for code, a in load("IATA").items() if re.fullmatch("[A-Z]{3}", code) and a["tz"]}


def load_airports(conn: psycopg.Connection[Any]) -> int:
    """Brings crew.airports up to date, set-based; returns how many rows were added or changed."""
    rows = list(airports().values())
    columns = list(
        zip(*((a["iata"], a["icao"] or None, a["name"], a["tz"], a["country"]) for a in rows), strict=True)
    )
    return conn.execute(query("airports", "merge"), [list(c) for c in columns]).rowcount
