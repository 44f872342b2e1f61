"""Overrides: a person sets the amount of a component or line; what is computed stays beside it, and every run keeps it until it is reset."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from crewpay_sync.database import Target
from crewpay_sync.tenants import ensure_login
from tests.tenants import Tenant, add_airports, crewpay, made_tenant

# A leg of two hours at $60, or $90: 120.00, 180.00; each leg is worth 10.00 more.
CASE: dict[str, Any] = {
    "crew": {"ada": {"rate": 60}, "bo": {"rate": 90}},
    "periods": ["2013-01", "2013-02"],
    "terms": {
        "BLOCK": {"type": "leg_credit", "basis": "actual"},
        "LEG": {"type": "pay", "level": "leg", "component": "premium", "amount": 10},
    },
    "duties": [
        {"crew": crew, "report": f"2013-01-{day} 08:00", "release": "15:00", "legs": [{"leg": "JFK-BOS", "scheduled": "09:00-10:00"}]}
        for crew in ("ada", "bo")
        for day in (10, 12)
    ],
}  # fmt: skip
SET = "select * from pay.override(%s, %s, %s, %s, %s, %s)"
SET_LINE = "select * from pay.override(%s, %s, %s, %s, %s, %s, %s, %s, %s)"


@pytest.fixture(scope="module")
def operator(database: Target) -> Iterator[psycopg.Connection[Any]]:
    with closing(database.connect(autocommit=True)) as conn:
        add_airports(conn)
        yield conn


@pytest.fixture
def tenant(operator: psycopg.Connection[Any]) -> Iterator[Tenant]:
    with made_tenant(operator, CASE) as made:
        made.run()
        yield made


def override(
    tenant: Tenant, crew: str, component: str, amount: Any, *line: Any, role: str = "payroll"
) -> dict[str, Any]:
    return tenant.call(
        role,
        SET_LINE if line else SET,
        tenant.id, tenant.crew[crew], tenant.periods[0], component, amount, "agreed with the union", *line,
    )  # fmt: skip


def paid(tenant: Tenant, crew: str) -> tuple[Decimal, Decimal, Decimal]:
    totals = tenant.totals(crew)
    return totals["flight_pay"], totals["premium"], totals["total"]


def fly_longer(tenant: Tenant, crew: str) -> None:
    tenant.conn.execute(
        "update crew.flights set actual_arrival = actual_arrival + interval '1 hour' where id in (select flight_id from crew.crew_assignments where crew_member_id = %s)",
        (tenant.crew[crew],),
    )


def lines(tenant: Tenant, crew: str) -> list[tuple[str, str, Decimal]]:
    return [(line[1], line[2], line[4]) for line in tenant.lines(crew) if line[1] == "OVERRIDE"]


def test_a_component_survives_recalculation_until_it_is_reset(tenant: Tenant) -> None:
    assert paid(tenant, "ada") == (120, 20, 140)
    done = override(tenant, "ada", "premium", "33.33")
    assert (done["state"], done["original_amount"], done["amount"]) == ("APPROVED", 20, Decimal("33.33"))
    assert paid(tenant, "ada") == (120, 20, 140), "the next run pays it"
    before = tenant.conn.execute("select count(*) from pay.dirty_marks where enterprise_id = %s and cause = 'pay.overrides'", (tenant.id,)).fetchone()  # fmt: skip
    assert before == (1,)
    tenant.call("payroll", "select (pay.refresh(%s, %s)).id", tenant.id, tenant.periods[0])
    line = ("OVERRIDE", "agreed with the union", Decimal("13.33"))
    for _ in range(2):
        assert paid(tenant, "ada") == (120, Decimal("33.33"), Decimal("153.33"))
        assert lines(tenant, "ada") == [line], "the original stays beside it"
        tenant.run()
    tenant.load(
        tenant.contract(
            {"terms": {"LEG": {"type": "pay", "level": "leg", "component": "premium", "amount": 50}}}
        )
    )
    tenant.run()
    assert paid(tenant, "ada") == (120, Decimal("33.33"), Decimal("153.33"))
    assert lines(tenant, "ada") == [(*line[:2], Decimal("-66.67"))]
    assert paid(tenant, "bo") == (180, 100, 280)
    tenant.call("payroll", "select (pay.reset_override(%s, 'withdrawn')).id", done["id"])
    tenant.run()
    assert (paid(tenant, "ada"), lines(tenant, "ada")) == ((120, 100, 220), [])
    assert override(tenant, "ada", "premium", 1)["override_no"] > done["override_no"], "may be set again"


def test_a_line(tenant: Tenant) -> None:
    """The first leg's 60.00 becomes 75.00; then the whole component 100.00: the hours stay those that were flown."""
    row = tenant.conn.execute(
        "select term_code, level, node from pay.pay_lines where crew_member_id = %s and component = 'flight_pay' order by node limit 1",
        (tenant.crew["ada"],),
    ).fetchone()
    assert row is not None
    hours = tenant.totals("ada")["flight_pay_hours"]
    assert override(tenant, "ada", "flight_pay", 75, *row)["original_amount"] == 60
    tenant.run()
    assert paid(tenant, "ada") == (135, 20, 155)
    override(tenant, "ada", "flight_pay", 100)
    tenant.run()
    assert paid(tenant, "ada") == (100, 20, 120)
    assert sorted(line[2] for line in lines(tenant, "ada")) == [-35, 15]
    assert tenant.totals("ada")["flight_pay_hours"] == hours


def test_above_the_limit_a_second_person_decides(tenant: Tenant) -> None:
    proposed = override(tenant, "ada", "flight_pay", 621)
    assert proposed["state"] == "PROPOSED"
    tenant.run()
    assert paid(tenant, "ada")[0] == 120, "what is proposed isn't paid"
    tenant.refused(
        "CP314", "payroll", SET, tenant.id, tenant.crew["ada"], tenant.periods[0], "flight_pay", 1, "x"
    )
    tenant.refused("CP310", "payroll", "select pay.approve_override(%s)", proposed["id"])
    assert (
        tenant.call("admin", "select * from pay.approve_override(%s)", proposed["id"])["state"] == "APPROVED"
    )
    tenant.refused("CP314", "admin", "select pay.approve_override(%s)", proposed["id"])
    tenant.run()
    assert paid(tenant, "ada")[0] == 621
    assert override(tenant, "bo", "flight_pay", 580)["state"] == "APPROVED"
    assert override(tenant, "bo", "premium", 121)["state"] == "PROPOSED", "the sum counts, not the piece"
    booked = tenant.call(
        "payroll",
        "select state from pay.adjust(%s, %s, %s, 101, 'x')",
        tenant.id,
        tenant.crew["bo"],
        tenant.periods[0],
    )
    assert booked["state"] == "PROPOSED", "together with adjustments"


def test_denied(tenant: Tenant) -> None:
    proposed = override(tenant, "ada", "flight_pay", 1000)
    done = tenant.call("admin", "select * from pay.reset_override(%s, 'no')", proposed["id"])
    assert done["state"] == "DENIED"
    again = override(tenant, "ada", "flight_pay", 1000)
    assert tenant.call("payroll", "select * from pay.reset_override(%s, 'mistake')", again["id"])["state"] == "WITHDRAWN"  # fmt: skip


def test_explained_and_proved(tenant: Tenant) -> None:
    first = tenant.run()["id"]
    override(tenant, "ada", "premium", "33.33")
    run = tenant.run()["id"]
    with tenant.acting("payroll") as conn:
        told = conn.execute(
            "select heading, component::text, term_code, label, amount, outcome from pay.explain(%s, %s) where level = 'period' order by item_no",
            (tenant.crew["ada"], tenant.periods[0]),
        ).fetchall()
        assert conn.execute("select * from pay.verify_run(%s)", (run,)).fetchall() == []
        causes = conn.execute("select employee_id, component::text, cause, first_amount, second_amount, difference from pay.diff(%s, %s)", (first, run)).fetchall()  # fmt: skip
        statement = [row[0] for row in conn.execute("select pay.statement('ada', '2013-01-01')")]
    assert told == [
        ("Overrides", None, None, None, None, "heading"),
        (None, "premium", "OVERRIDE", "agreed with the union", Decimal("13.33"), "paid"),
    ]
    assert causes == [("ada", "premium", "override", Decimal(20), Decimal("33.33"), Decimal("13.33"))]
    assert any("20.00 computed, set to 33.33" in line and line.endswith("13.33") for line in statement)
    tenant.conn.execute("set session_replication_role = replica")
    tenant.conn.execute("update pay.overrides set amount = 34 where enterprise_id = %s", (tenant.id,))
    tenant.conn.execute("reset session_replication_role")
    with tenant.acting("payroll") as conn:
        found = conn.execute("select distinct kind from pay.verify_run(%s)", (run,)).fetchall()
    assert ("line",) in found


def test_what_if_leaves_them_out(tenant: Tenant) -> None:
    override(tenant, "ada", "premium", 70)
    tenant.run()
    told = tenant.call("payroll", "select pay.what_if(%s, %s, %s) as told", tenant.id, tenant.periods[:1], Jsonb({"terms": []}))["told"]  # fmt: skip
    assert (told["books"], told["difference"]) == (340, 0)


def test_back_pay_keeps_what_was_set(tenant: Tenant) -> None:
    """A flight an hour longer: the computed 120.00 become 240.00, the amount set stays."""
    override(tenant, "ada", "flight_pay", 150)
    tenant.run()
    user = uuid4()
    tenant.conn.execute("insert into platform.users (enterprise_id, id, email) values (%s, %s, 'c@x.example')", (tenant.id, user))  # fmt: skip
    login = ensure_login(tenant.conn, f"{tenant.slug}_chief", tenant.id, "admin", user=user)
    run = tenant.run()["id"]
    tenant.logins["chief"] = login
    tenant.call("chief", "select (pay.approve_run(%s)).id", run)
    tenant.call("payroll", "select (pay.close_period(%s)).id", tenant.periods[0])
    tenant.refused(
        "CP211", "payroll", SET, tenant.id, tenant.crew["ada"], tenant.periods[0], "premium", 1, "x"
    )
    tenant.conn.execute("alter table crew.flights disable trigger flights_20_closed_update")
    fly_longer(tenant, "ada")
    tenant.conn.execute("alter table crew.flights enable trigger flights_20_closed_update")
    made = tenant.call("payroll", "select * from pay.retro(%s, %s)", tenant.id, tenant.periods[:1])
    assert made["state"] == "NOTHING_OWED"
    tenant.conn.execute("delete from auth.principals where login = %s", (login,))


def test_refused(tenant: Tenant, operator: psycopg.Connection[Any]) -> None:
    ada, january, february = tenant.crew["ada"], *tenant.periods[:2]
    for code, values in {
        "CP109": (tenant.id, ada, january, "adjustment", 5, "x"),
        "CP318": (tenant.id, ada, january, "premium", 5, " "),
        "CP214": (tenant.id, ada, february, "premium", 5, "x"),
        "42501": (uuid4(), ada, january, "premium", 5, "x"),
    }.items():
        tenant.refused(code, "payroll", SET, *values)
    tenant.refused("CP109", "payroll", SET, tenant.id, ada, january, "premium", "1.005", "x")
    tenant.refused("CP214", "payroll", SET, tenant.id, uuid4(), january, "premium", 5, "x")
    tenant.refused("CP214", "payroll", SET_LINE, tenant.id, ada, january, "premium", 5, "x", "LEG", "leg", 1)
    tenant.refused(
        "22023", "payroll", SET_LINE, tenant.id, ada, january, "premium", 5, "x", "LEG", None, None
    )
    tenant.refused("42501", "agent", SET, tenant.id, ada, january, "premium", 5, "x")
    tenant.refused("CP311", "payroll", "select pay.reset_override(%s, 'x')", uuid4())
    done = override(tenant, "ada", "premium", 5)
    with made_tenant(operator, CASE) as other:
        other.refused("CP214", "payroll", SET, other.id, ada, january, "premium", 5, "x")
        other.refused("CP311", "payroll", "select pay.reset_override(%s, 'x')", done["id"])
        assert other.call("payroll", "select count(*) from pay.overrides")["count"] == 0


def test_a_run_in_progress_is_not_disturbed(tenant: Tenant, database: Target) -> None:
    with closing(database.connect()) as running, tenant.acting("payroll", running):
        running.execute("select pay.run(%s, %s)", (tenant.id, tenant.periods[0]))
        tenant.refused(
            "CP210", "payroll", SET, tenant.id, tenant.crew["ada"], tenant.periods[0], "premium", 5, "x"
        )
        running.commit()
    override(tenant, "ada", "premium", 5)


def test_command(tenant: Tenant, database: Target) -> None:
    done = crewpay(
        database, tenant, "pay", "override", "ada", "premium", "33.33", "2013-01", "--reason", "agreed"
    )
    assert done.returncode == 0, done.stderr
    assert "20.00" in done.stdout
    number = tenant.call("payroll", "select override_no from pay.overrides")["override_no"]
    listed = crewpay(database, tenant, "pay", "overrides")
    assert "APPROVED" in listed.stdout
    assert crewpay(database, tenant, "pay", "overrides", "--approve", str(number)).returncode == 4
    reset = crewpay(database, tenant, "pay", "overrides", "--reset", str(number), "--reason", "over")
    assert "RESET" in reset.stdout, reset.stderr
