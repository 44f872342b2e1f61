"""crewpay contract what-if: a proposal in a file, costed over months."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from crewpay_sync.database import Target
from tests.golden.test_what_if import CASE
from tests.tenants import Tenant, add_airports, crewpay, made_tenant

PROPOSAL = "terms: [{code: W_5.A, formula: {type: monthly_guarantee, hours: 12, proration: calendar_days}}]\n"


@pytest.fixture(scope="module")
def tenant(database: Target) -> Iterator[Tenant]:
    with closing(database.connect(autocommit=True)) as conn:
        add_airports(conn)
        with made_tenant(conn, CASE) as made:
            made.run(1)
            made.run(2)
            yield made


def what_if(database: Target, tenant: Tenant, folder: Path, text: str, *more: str) -> Any:
    file = folder / "proposal.yaml"
    file.write_text(text)
    return crewpay(database, tenant, "contract", "what-if", str(file), *more)


def test_a_year_of_two_months(tenant: Tenant, database: Target, tmp_path: Path) -> None:
    done = what_if(database, tenant, tmp_path, PROPOSAL, "--periods", "2013-01..2013-12", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["data"]
    assert (told["books"], told["proposed"], told["difference"]) == ("3000.00", "3600.00", "600.00")
    done = what_if(database, tenant, tmp_path, PROPOSAL, "--periods", "2013-02")
    assert [line.split()[:4] for line in done.stdout.splitlines()[2:3]] == [
        ["2", "1500.00", "1800.00", "300.00"]
    ]
    assert "winners: 2" in done.stdout


@pytest.mark.parametrize("months", ["2013-02..2013-01", "2013-01-01", "twelve"])
def test_what_are_no_months(tenant: Tenant, database: Target, tmp_path: Path, months: str) -> None:
    assert what_if(database, tenant, tmp_path, PROPOSAL, "--periods", months).returncode == 2


def test_refused(tenant: Tenant, database: Target, tmp_path: Path, db: psycopg.Connection[Any]) -> None:
    refused = what_if(database, tenant, tmp_path, PROPOSAL, "--periods", "2014-01")
    assert (refused.returncode, refused.stderr[:5]) == (4, "CP214")
    refused = what_if(database, tenant, tmp_path, PROPOSAL.replace("hours", "weeks"), "--periods", "2013-01")
    assert (refused.returncode, refused.stderr[:5]) == (4, "CP202")
