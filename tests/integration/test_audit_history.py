"""The story of a row and the row as it was: compared with what the row really was at each moment."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from crewpay_sync.database import Target
from crewpay_sync.tenants import act_as, ensure_enterprise, ensure_login, ensure_standard_logins, stable_id

NOT_RECORDED = {"created_at", "updated_at"}


@pytest.fixture(scope="module")
def conn(database: Target) -> Iterator[psycopg.Connection[Any]]:
    slugs = [f"trail{os.getpid()}", f"trial{os.getpid()}"]
    with closing(database.connect(autocommit=True, row_factory=dict_row)) as conn:
        conn.execute(
            "insert into crew.airports (iata, icao, name, time_zone, country) values ('JFK', 'KJFK', 'JFK', 'America/New_York', 'US')"
        )
        for slug in slugs:
            enterprise = ensure_enterprise(conn, slug, slug)
            ensure_standard_logins(conn, enterprise, slug)
            crew = stable_id(slug, "crew")
            conn.execute(
                """insert into crew.crew_members (enterprise_id, id, employee_id, first_name, last_name, position, base_location,
                     hire_date, seniority_number, base_hourly_rate)
                   values (%s, %s, 'E1', 'Ada', %s, 'CAPTAIN', 'JFK', '2020-01-01', 1, 200)""",
                (enterprise, crew, slug),
            )
            ensure_login(conn, f"{slug}_e1", enterprise, "crew", crew_member=crew)
        yield conn
        for slug in slugs:
            for suffix in ("admin", "payroll", "bi", "agent", "e1"):
                conn.execute("delete from auth.principals where login = %s", (f"{slug}_{suffix}",))
                conn.execute(sql.SQL("drop role {}").format(sql.Identifier(f"{slug}_{suffix}")))


@pytest.fixture
def slug() -> str:
    return f"trail{os.getpid()}"


def crew_id(slug: str) -> str:
    return str(stable_id(slug, "crew"))


def one(conn: psycopg.Connection[Any], statement: str, values: Any = ()) -> Any:
    row = conn.execute(statement, values).fetchone()  # type: ignore[call-overload]
    return next(iter(row.values())) if row else None


def state(conn: psycopg.Connection[Any], table: str, where: str, values: Any) -> dict[str, Any] | None:
    """The row as it is, in the trail's terms."""
    with conn.transaction():
        conn.execute("set local timezone = 'UTC'")
        row = one(conn, f"select to_jsonb(t) from {table} t where {where}", values)
    return {k: v for k, v in row.items() if k not in NOT_RECORDED} if row else None


def now(conn: psycopg.Connection[Any]) -> datetime:
    found: datetime = one(conn, "select clock_timestamp() as now")
    return found


def as_of(conn: psycopg.Connection[Any], slug: str, table: str, key: str, at: datetime) -> Any:
    with act_as(conn, slug, "admin"):
        return one(conn, "select audit.as_of(%s, %s, %s)", (table, key, at))


def test_every_state_of_a_row_is_found_again(conn: psycopg.Connection[Any], slug: str) -> None:
    """Forty random changes, some of them several in one transaction, some undone in it."""
    choose = random.Random(5)  # noqa: S311
    crew = crew_id(slug)
    seen = []
    for number in range(40):
        with conn.transaction():
            for _ in range(choose.choice((1, 1, 2, 3))):
                column, value = choose.choice(
                    (
                        ("base_hourly_rate", Decimal(choose.randrange(3))),
                        ("base_hourly_rate", None),
                        ("last_name", choose.choice(["O'Neil", 'a "quoted" name', "Zoë"])),
                        ("attributes", Jsonb(choose.choice([{}, {"a": None}, {"b": [1, {"c": 2}]}]))),
                        ("termination_date", choose.choice([None, date(2030, 1, 31)])),
                    )
                )
                conn.execute(
                    sql.SQL("update crew.crew_members set {} = %s where id = %s").format(
                        sql.Identifier(column)
                    ),
                    (value, crew),
                )
        seen.append((now(conn), state(conn, "crew.crew_members", "id = %s", (crew,)), number))
    assert len({json.dumps(s, sort_keys=True) for _, s, _ in seen}) > 5
    for at, expected, number in seen:
        assert as_of(conn, slug, "crew.crew_members", crew, at) == expected, f"after change {number}"


def test_a_row_that_came_went_and_came_back(conn: psycopg.Connection[Any], slug: str) -> None:
    enterprise, crew = (
        one(conn, "select id from platform.enterprises where slug = %s", (slug,)),
        crew_id(slug),
    )
    where, values = "t.crew_member_id = %s and t.month = '2026-02-01'", (crew,)
    make = "insert into crew.crew_months (enterprise_id, crew_member_id, month, line_type) values (%s, %s, '2026-02-01', %s)"
    steps: list[tuple[str, tuple[Any, ...]]] = [
        ("select 1", ()),
        (make, (enterprise, crew, "LINE")),
        ("update crew.crew_months t set line_type = 'RESERVE', work_days = 12 where " + where, values),
        ("delete from crew.crew_months t where " + where, values),
        (make, (enterprise, crew, "RESERVE")),
    ]
    seen = []
    for statement, given in steps:
        conn.execute(statement, given)  # type: ignore[call-overload]
        seen.append((now(conn), state(conn, "crew.crew_months", where, values)))
    assert [s is None for _, s in seen] == [True, False, False, True, False]
    for number, (at, expected) in enumerate(seen):
        found = as_of(conn, slug, "crew_months", f"{crew}/2026-02-01", at)
        assert found == expected, f"after step {number}"


def test_history_tells_who_and_why(conn: psycopg.Connection[Any], slug: str) -> None:
    crew = crew_id(slug)
    with act_as(conn, slug, "admin"), conn.transaction():
        conn.execute("set local app.reason = 'step increase'")
        conn.execute("set local app.request_id = 'r-7'")
        conn.execute("set local app.current_user_id = 'the pope'")
        conn.execute("update crew.crew_members set base_hourly_rate = 222 where id = %s", (crew,))
        entries = conn.execute("select * from audit.history('crew_members', %s)", (crew,)).fetchall()
    first, last = entries[0], entries[-1]
    assert (first["action"], last["action"]) == ("CREATED", "UPDATED")
    assert (last["actor"], last["actor_name"], last["actor_type"]) == (
        f"{slug}_admin",
        f"Administrator of {slug}",
        "ADMIN",
    )
    assert (last["reason"], last["request_id"], last["claimed"]) == (
        "step increase",
        "r-7",
        {"user_id": "the pope"},
    )
    assert last["changes"]["base_hourly_rate"][1] == 222
    assert last["user_agent"] == "crewpay"
    with act_as(conn, slug, "payroll"):
        read = conn.execute("select * from audit.history('crew.crew_members', %s)", (crew,)).fetchall()
    assert len(read) == len(entries)
    assert read[-1]["actor_name"] is None, "payroll does not see who stands behind a login"


@pytest.mark.parametrize("role", ["e1", "agent", "bi"])
def test_others_may_not_read_it(conn: psycopg.Connection[Any], slug: str, role: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), conn.transaction(), act_as(conn, slug, role):
        conn.execute("select * from audit.history('crew.crew_members', %s)", (crew_id(slug),))


def test_another_enterprise_has_no_history(conn: psycopg.Connection[Any], slug: str) -> None:
    other = f"trial{os.getpid()}"
    for role in ("admin", "payroll"):
        with act_as(conn, other, role):
            found = conn.execute(
                "select * from audit.history('crew.crew_members', %s)", (crew_id(slug),)
            ).fetchall()
            assert found == []
            assert one(conn, "select audit.as_of('crew.crew_members', %s, now())", (crew_id(slug),)) is None
    with act_as(conn, other, "admin"):
        assert conn.execute(
            "select * from audit.history('crew.crew_members', %s)", (crew_id(other),)
        ).fetchall()


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ("crew.airports", "42P01"),
        ("pg_class", "42P01"),
        ("crew.crew_members; drop table x", "42P01"),
        ("", "42P01"),
        ("pay.pay_calculations", "0A000"),
        ("rules.faa_rules", "0A000"),
    ],
)
def test_tables_without_a_past(conn: psycopg.Connection[Any], slug: str, table: str, code: str) -> None:
    with pytest.raises(psycopg.Error) as caught, conn.transaction(), act_as(conn, slug, "admin"):
        conn.execute("select audit.as_of(%s, 'x', now())", (table,))
    assert caught.value.sqlstate == code


def test_the_trail_under_the_layoverhq_names(conn: psycopg.Connection[Any], slug: str) -> None:
    statement = """select table_name, operation, row_id, old_values, new_values, user_id, enterprise_id, ip_address, user_agent, timestamp
                   from audit_log where row_id = %s and operation = 'UPDATE' order by timestamp desc limit 1"""
    with act_as(conn, slug, "admin"), conn.transaction():
        conn.execute("update crew.crew_members set base_hourly_rate = 230 where id = %s", (crew_id(slug),))
        conn.execute(
            "set local search_path = travel, platform, crew, pay, review, rules, notify, audit, ops, ext"
        )
        entry = conn.execute(statement, (crew_id(slug),)).fetchone()
        assert entry is not None
        assert entry["new_values"] == {"base_hourly_rate": 230}
        assert entry["user_id"] == one(conn, "select auth.uid()")
    with pytest.raises(psycopg.errors.InsufficientPrivilege), conn.transaction(), act_as(conn, slug, "agent"):
        conn.execute("select from platform.audit_log")


def crewpay(database: Target, *args: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATABASE_URL": database.conninfo, "DIRECT_URL": ""}
    return subprocess.run(
        [sys.executable, "-m", "crewpay_sync", "audit", *args],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_the_command(conn: psycopg.Connection[Any], database: Target, slug: str) -> None:
    crew = crew_id(slug)
    with act_as(conn, slug, "admin"), conn.transaction():
        conn.execute("set local app.reason = 'married'")
        conn.execute("update crew.crew_members set last_name = 'Lovelace' where id = %s", (crew,))
    told = crewpay(database, "history", "crew.crew_members", crew, "--enterprise", slug)
    assert told.returncode == 0, told.stderr
    assert f"Administrator of {slug} ({slug}_admin) changed it: married\n    last_name: " in told.stdout
    assert " → Lovelace\n" in told.stdout
    assert "the client says: client crewpay" in told.stdout
    # A name can't make up a line of the story.
    name = "select full_name from platform.users where email like %s"
    before = one(conn, name, (f"admin@{slug}%",))
    conn.execute(
        "update platform.users set full_name = %s where email like %s", ("X\n2026-01-01", f"admin@{slug}%")
    )
    forged = crewpay(database, "history", "crew.crew_members", crew, "--enterprise", slug)
    conn.execute("update platform.users set full_name = %s where email like %s", (before, f"admin@{slug}%"))
    assert "X�2026-01-01 (" in forged.stdout
    assert "\n2026-01-01" not in forged.stdout
    entries = json.loads(
        crewpay(database, "history", "crew.crew_members", crew, "--enterprise", slug, "--json").stdout
    )
    assert entries["data"][-1]["reason"] == "married"
    as_it_is = crewpay(
        database, "row", "crew_members", crew, f"{datetime.now(UTC).year + 1}-01-01", "--enterprise", slug
    )
    assert "last_name: Lovelace\n" in as_it_is.stdout
    nothing = crewpay(database, "history", "crew.flights", crew, "--enterprise", slug)
    assert (nothing.returncode, nothing.stdout) == (1, "")
    wrong = crewpay(database, "history", "crew.nothing", crew, "--enterprise", slug)
    assert wrong.returncode == 4
    assert "42P01: there is no audited table crew.nothing" in wrong.stderr
