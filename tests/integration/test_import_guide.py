"""docs/import.md: an airline is made as it says, and paid from CSV files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crewpay_sync.database import Target
from crewpay_sync.settings import ROOT

SECTION = (ROOT / "docs" / "import.md").read_text(encoding="utf-8").split("## An airline of your own")[1]
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
SQL, COMMANDS = BLOCKS[0][1], BLOCKS[1][1].splitlines()
SLUG = "guideacme"  # roles belong to the server, where somebody may have tried the guide
FILES = {
    "crew": "employee_id,first_name,last_name,position,base_location,hire_date,seniority_number\n"
    "E001,Al,Lee,CAPTAIN,LGA,2010-01-01,1\n",
    "flights": "flight_number,scheduled_departure,origin_airport,destination_airport,scheduled_arrival\n"
    "AC1,2026-07-01T06:15:00-04:00,LGA,DTW,2026-07-01 12:15Z\n",
    "assignments": "employee_id,duty_start_time,flight_number,scheduled_departure\n"
    "E001,2026-07-01T05:15:00-04:00,AC1,2026-07-01T06:15:00-04:00\n",
}


@pytest.fixture
def environment(database: Target) -> Iterator[dict[str, str]]:
    yield {**os.environ, "DATABASE_URL": database.conninfo, "DIRECT_URL": ""}
    with closing(database.connect(autocommit=True)) as conn:
        conn.execute("delete from auth.principals where login in ('guideacme_admin', 'guideacme_payroll')")
        conn.execute("drop role if exists guideacme_admin, guideacme_payroll")


def test_an_airline_of_ones_own_is_paid(environment: dict[str, str], tmp_path: Path) -> None:
    def crewpay(*args: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "crewpay_sync", *args],
            env=environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode in (0, 1), done.stderr
        return done.stdout

    script = tmp_path / "airline.sql"
    script.write_text(SQL.replace("acme", SLUG), encoding="utf-8")
    crewpay("psql", "-v", "ON_ERROR_STOP=1", "-qf", str(script))
    sample = str(ROOT / "crewpay_sync" / "samples" / "contract.yaml")
    assert len(COMMANDS) == 3
    for command in COMMANDS:
        crewpay(*command.replace("contract.yaml", sample).replace("acme", SLUG).split()[1:])
    for kind, text in FILES.items():
        file = tmp_path / f"{kind}.csv"
        file.write_text(text, encoding="utf-8")
        crewpay("import", kind, str(file), "--enterprise", SLUG)
    crewpay("pay", "run", "2026-07", "--enterprise", SLUG)
    assert "AC1 LGA–DTW" in crewpay("pay", "explain", "E001", "2026-07", "--enterprise", SLUG)
