"""crewpay pay refresh: only who is dirty is computed again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from crewpay_sync.database import Target
from tests.golden.test_refresh import CASE
from tests.tenants import Tenant, add_airports, crewpay, made_tenant


@pytest.fixture
def tenant(database: Target) -> Iterator[Tenant]:
    with closing(database.connect(autocommit=True)) as conn:
        add_airports(conn)
        with made_tenant(conn, CASE) as made:
            yield made


def test_refresh(tenant: Tenant, database: Target) -> None:
    first = crewpay(database, tenant, "pay", "refresh", "2013-01", "--json")
    assert first.returncode == 0, first.stderr
    assert [row["refreshed"] for row in json.loads(first.stdout)["data"]] == [8, 8], (
        "nothing was published: everybody"
    )
    tenant.conn.execute(
        "update crew.crew_members set base_hourly_rate = 99 where id = %s", (tenant.crew["B"],)
    )
    again = json.loads(crewpay(database, tenant, "pay", "refresh", "2013-01", "--json").stdout)
    assert again["login"] == tenant.logins["payroll"]
    assert [(row["refreshed"], row["crew"]) for row in again["data"]] == [(1, 8), (1, 8)]
    assert "CP214" in crewpay(database, tenant, "pay", "refresh", "2014-01").stderr
