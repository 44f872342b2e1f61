"""Proof of runs: as recorded they are proved; whatever is changed behind the database's back is found. Why two runs differ. Projections."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from crewpay_sync.database import Target
from crewpay_sync.tenants import ensure_login
from tests.tenants import Tenant, add_airports, crewpay, made_tenant

CASE: dict[str, Any] = {
    "crew": {
        "ada": {"rate": 60, "months": {"2013-01": {}}},
        "bo": {"rate": 90, "position": "CAPTAIN", "months": {"2013-01": {}}},
        "lu": {"rate": 60, "left": "2012-12-20"},
    },
    "periods": ["2013-01"],
    "terms": {
        "BLOCK": {"type": "leg_credit", "basis": "actual"},
        "GUAR": {"type": "monthly_guarantee", "hours": 10, "proration": "calendar_days"},
        "PICK": {"type": "premium", "level": "trip", "basis": "credit", "when": {"==": [{"var": "trip.pickup"}, "OPEN_TIME"]}, "multiplier": 1.5},
        "DIEM": {"type": "per_diem", "rate": 2, "per": "hour"},
    },
    "trips": [
        {"crew": crew, "trip": f"T{crew}{day}", "duties": [{
            "report": f"2013-01-{day} 08:00", "release": "17:00",
            "legs": [{"leg": "JFK-BOS", "scheduled": "09:00-10:15"}, {"leg": "BOS-JFK", "scheduled": "14:00-15:30"}],
        }]}
        for crew in ("ada", "bo")
        for day in (10, 20)
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def operator(database: Target) -> Iterator[psycopg.Connection[Any]]:
    with closing(database.connect(autocommit=True)) as conn:
        add_airports(conn)
        yield conn


@pytest.fixture
def tenant(operator: psycopg.Connection[Any]) -> Iterator[Tenant]:
    with made_tenant(operator, CASE) as made:
        adjust(made, "ada", 5)
        adjust(made, "lu", 7)
        yield made


def adjust(tenant: Tenant, crew: str, amount: int) -> None:
    tenant.call("payroll", "select (pay.adjust(%s, %s, %s, %s, 'why')).id", tenant.id, tenant.crew[crew], tenant.periods[0], amount)  # fmt: skip


def verify(tenant: Tenant, run: UUID, role: str = "payroll") -> list[tuple[Any, ...]]:
    with tenant.acting(role) as conn:
        return conn.execute("select kind, employee_id, term_code, detail from pay.verify_run(%s)", (run,)).fetchall()  # fmt: skip


@contextmanager
def behind_its_back(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """No trigger sees it: no version is kept, no time of change noted."""
    conn.execute("set session_replication_role = replica")
    try:
        yield
    finally:
        conn.execute("reset session_replication_role")


# Each with the kinds of finding it must give.
PLANTED: dict[str, tuple[str, set[str]]] = {
    "actual time": ("update crew.flights set actual_arrival = actual_arrival + interval '40 minutes' where enterprise_id = %(e)s", {"line"}),
    "a time that pays nothing": (
        "update crew.crew_assignments set duty_end_time = duty_end_time + interval '1 minute' where enterprise_id = %(e)s", {"input"}),
    "a leg": ("delete from crew.crew_assignments where enterprise_id = %(e)s and leg_no = (select max(leg_no) from crew.crew_assignments where enterprise_id = %(e)s)", {"line"}),
    "a trip": ("update crew.trips set pickup = 'OPEN_TIME' where enterprise_id = %(e)s", {"line"}),
    "days off": ("update crew.crew_months set unpaid_days = 9 where enterprise_id = %(e)s", {"line"}),
    "a rate": ("update crew.crew_members set base_hourly_rate = 61 where enterprise_id = %(e)s and employee_id = 'ada'", {"line"}),
    "a hire date": ("update crew.crew_members set hire_date = '2013-01-20' where enterprise_id = %(e)s and employee_id = 'ada'", {"line"}),
    "a formula": (
        "update rules.union_contract_terms set calculation_formula = jsonb_set(calculation_formula, '{hours}', '11') where enterprise_id = %(e)s and term_code = 'GUAR'",
        {"term"}),
    "a term": ("update rules.union_contract_terms set superseded_at = recorded_at + interval '1 microsecond' where enterprise_id = %(e)s and term_code = 'GUAR'", {"term"}),
    "the ruleset": ("update rules.ruleset_terms set expanded = jsonb_set(expanded, '{per_unit}', '9') where enterprise_id = %(e)s and level = 'trip'", {"term"}),
    "the plan": ("update rules.plans set statement = replace(statement, '60', '61') where enterprise_id = %(e)s and name = '_lines'", {"engine"}),
    "an adjustment": ("update pay.adjustments set amount = 6 where enterprise_id = %(e)s and amount = 5", {"line"}),
    "an adjustment of somebody who had left": ("update pay.adjustments set amount = 8 where enterprise_id = %(e)s and amount = 7", {"line"}),
    "a line": (
        "update pay.pay_calculations set line_cents[1] = line_cents[1] + 1, flight_pay_amount = flight_pay_amount + 0.01, total_gross_pay = total_gross_pay + 0.01 where enterprise_id = %(e)s and line_term[1] > 0",
        {"line", "result", "run"}),
    "a quantity": ("update pay.pay_calculations set line_quantity[1] = line_quantity[1] + 1 where enterprise_id = %(e)s and line_term[1] > 0", {"line"}),
    "hours": ("update pay.pay_calculations set flight_pay_hours = 99 where enterprise_id = %(e)s", {"result"}),
    "a result": ("delete from pay.pay_calculations where enterprise_id = %(e)s and crew_member_id = (select id from crew.crew_members where enterprise_id = %(e)s and employee_id = 'bo')", {"result", "run"}),
    "the total of the run": ("update pay.pay_runs set total_amount = 1 where enterprise_id = %(e)s", {"run"}),
    "the hash of the run": ("update pay.pay_runs set result_hash = 'x' where enterprise_id = %(e)s", {"run"}),
    "the engine's version": ("update pay.pay_runs set engine_version = '0' where enterprise_id = %(e)s", {"engine"}),
    "the time zone data": ("update pay.pay_runs set time_zone_version = 'x' where enterprise_id = %(e)s", {"time zone"}),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(PLANTED))
def test_planted_changes_are_found(tenant: Tenant, name: str) -> None:
    run = tenant.run()["id"]
    assert verify(tenant, run) == []
    statement, kinds = PLANTED[name]
    with behind_its_back(tenant.conn):
        changed = tenant.conn.execute(statement, {"e": tenant.id}).rowcount
    assert changed > 0
    found = {row[0] for row in verify(tenant, run)}
    assert found >= kinds, found


def delay(tenant: Tenant, crew: str, minutes: int) -> None:
    tenant.conn.execute(
        """update crew.flights set actual_arrival = actual_arrival + make_interval(mins => %s) where id in (
             select flight_id from crew.crew_assignments where crew_member_id = %s)""",
        (minutes, tenant.crew[crew]),
    )


def test_what_has_changed_since_is_no_difference(tenant: Tenant) -> None:
    """Facts, rates and terms as of the run; runs that are superseded and that carry results are proved as well."""
    runs = [tenant.run()["id"]]
    delay(tenant, "ada", 30)
    adjust(tenant, "bo", 3)
    runs.append(tenant.call("payroll", "select * from pay.refresh(%s, %s)", tenant.id, tenant.periods[0])["id"])  # fmt: skip
    delay(tenant, "bo", 30)
    tenant.conn.execute("update crew.crew_members set base_hourly_rate = 70 where id = %s", (tenant.crew["bo"],))  # fmt: skip
    runs.append(tenant.call("payroll", "select * from pay.refresh(%s, %s)", tenant.id, tenant.periods[0])["id"])  # fmt: skip
    tenant.load(
        tenant.contract(
            {"terms": {"GUAR": {"type": "monthly_guarantee", "hours": 12, "proration": "calendar_days"}}}
        )
    )
    runs.append(tenant.run(crew=["ada"])["id"])
    runs.append(tenant.run()["id"])
    delay(tenant, "ada", 5)
    carried = tenant.conn.execute("select count(carried_from) from pay.pay_runs where id = any (%s)", (runs,)).fetchone()  # fmt: skip
    assert carried is not None
    assert carried[0] > 0
    for run in runs:
        assert verify(tenant, run) == []


def test_refused(tenant: Tenant, operator: psycopg.Connection[Any]) -> None:
    run = tenant.run()["id"]
    projected = tenant.call("payroll", "select * from pay.project(%s, %s)", tenant.id, tenant.periods[0])[
        "id"
    ]
    tenant.refused("CP214", "payroll", "select pay.verify_run(%s)", uuid4())
    tenant.refused("22023", "payroll", "select pay.verify_run(%s)", projected)
    tenant.refused("42501", "bi", "select pay.verify_run(%s)", run)
    tenant.refused("42501", "bi", "select pay.project(%s, %s)", tenant.id, tenant.periods[0])
    with made_tenant(operator, CASE) as other:
        other.refused("CP214", "payroll", "select pay.verify_run(%s)", run)
        other.refused("CP214", "payroll", "select pay.diff(%s, %s)", run, run)
        other.refused("42501", "payroll", "select pay.project(%s, %s)", tenant.id, tenant.periods[0])
        other.refused("CP214", "payroll", "select pay.project(%s, %s)", other.id, tenant.periods[0])


def diff(tenant: Tenant, first: UUID, second: UUID) -> list[tuple[Any, ...]]:
    with tenant.acting("payroll") as conn:
        return conn.execute(
            "select employee_id, component::text, cause, difference from pay.diff(%s, %s)", (first, second)
        ).fetchall()


def test_why_two_runs_differ(tenant: Tenant) -> None:
    """ada: block 2 x 2:45 = 330 minutes; 2 x 2 x 30 minutes more = 450, each $1 a minute: 120.00 of the 270.00 that the guarantee
    of 600 minutes had topped up; a guarantee of 11 h tops up 60.00 more. bo's rate 90 to 120: 330 and 270 minutes of it, 50 cents each."""
    first = tenant.run()["id"]
    assert diff(tenant, first, first) == []
    delay(tenant, "ada", 30)
    tenant.conn.execute("update crew.crew_members set base_hourly_rate = 120 where id = %s", (tenant.crew["bo"],))  # fmt: skip
    adjust(tenant, "bo", 4)
    second = tenant.run()["id"]
    assert diff(tenant, first, second) == [
        ("ada", "flight_pay", "fact", Decimal("120.00")),
        ("ada", "guarantee", "fact", Decimal("-120.00")),
        ("bo", "flight_pay", "rate", Decimal("165.00")),
        ("bo", "guarantee", "rate", Decimal("135.00")),
        ("bo", "adjustment", "adjustment", Decimal("4.00")),
    ]
    tenant.load(
        tenant.contract(
            {"terms": {"GUAR": {"type": "monthly_guarantee", "hours": 11, "proration": "calendar_days"}}}
        )
    )
    third = tenant.run()["id"]
    assert diff(tenant, second, third) == [
        ("ada", "guarantee", "term", Decimal("60.00")),
        ("bo", "guarantee", "term", Decimal("120.00")),
    ]
    assert diff(tenant, third, second)[0] == ("ada", "guarantee", "term", Decimal("-60.00"))
    tenant.load({
        "scenarios": [{"id": "long", "name": "long", "level": "trip", "pattern": {">": [{"var": "trip.block"}, 180]}}],
        "edges": [{"kind": "APPLIES_TO", "from": "DIEM", "to": "long"}],
    })  # fmt: skip
    fourth = tenant.run()["id"]
    assert diff(tenant, third, fourth) == [("bo", "per_diem", "rule graph", Decimal("-36.00"))]


def test_a_term_that_leaves_nothing(tenant: Tenant) -> None:
    """Without the only term that pays bo, nothing of his 330.00, 270.00 and 36.00 is left: that is the term's."""
    tenant.load(tenant.contract({"terms": {"DIEM": {"type": "per_diem", "rate": 2, "per": "hour", "expires": "2012-06-01"}, "PICK": {**CASE["terms"]["PICK"], "expires": "2012-06-01"}, "GUAR": {**CASE["terms"]["GUAR"], "expires": "2012-06-01"}}}))  # fmt: skip
    first = tenant.run()["id"]
    tenant.load(tenant.contract({"terms": {"BLOCK": {"type": "leg_credit", "basis": "actual", "factors": {"OPERATING": 0}}}}))  # fmt: skip
    second = tenant.run()["id"]
    assert {row[2] for row in diff(tenant, first, second)} == {"term"}
    assert tenant.totals("bo")["total"] == 0


def test_the_engines_own_difference_is_said(tenant: Tenant) -> None:
    first = tenant.run()["id"]
    with behind_its_back(tenant.conn):
        tenant.conn.execute(
            "update pay.pay_calculations set line_cents[1] = line_cents[1] + 100, flight_pay_amount = flight_pay_amount + 1, total_gross_pay = total_gross_pay + 1 where crew_member_id = %s and line_term[1] > 0",
            (tenant.crew["bo"],),
        )
    second = tenant.run()["id"]
    found = diff(tenant, first, second)
    assert [row[2] for row in found if row[0] == "bo"] == ["engine"], found


def project(tenant: Tenant) -> dict[str, Any]:
    return tenant.call("payroll", "select * from pay.project(%s, %s)", tenant.id, tenant.periods[0])


def test_projected_from_the_schedule(tenant: Tenant) -> None:
    """ada's second trip is not flown: block 2:45 of 5:30, the guarantee pays the rest; projected 5:30 of a departure 30 minutes late
    is 5:30 as well. Guarantee 10:00: 600.00 either way, per diem 2 x 9 h x 2.00, adjustment 5.00."""
    tenant.conn.execute(
        "update crew.flights set status = 'SCHEDULED', actual_arrival = null, actual_departure = null where enterprise_id = %s and scheduled_departure > '2013-01-15'",
        (tenant.id,),
    )
    run = tenant.run()
    before = tenant.totals("ada")
    projected = project(tenant)
    assert (projected["kind"], projected["state"]) == ("PROJECTION", "published")
    kept = "select flight_pay_amount, guarantee_amount, adjustment_amount, total_gross_pay from pay.calculation_versions where run_id = %s and crew_member_id = %s"
    assert tenant.conn.execute(kept, (projected["id"], tenant.crew["ada"])).fetchone() == (330, 270, 5, 641)
    assert tenant.totals("ada") == before, "never current"
    assert before["flight_pay"] < 330
    assert tenant.conn.execute("select state from pay.pay_runs where id = %s", (run["id"],)).fetchone() == ("published",)  # fmt: skip
    again = project(tenant)
    assert again["result_hash"] == projected["result_hash"]
    assert tenant.conn.execute(kept, (projected["id"], tenant.crew["ada"])).fetchone() is None, "replaced"
    states = tenant.conn.execute("select state::text, count(*) from pay.adjustments where enterprise_id = %s group by 1", (tenant.id,)).fetchall()  # fmt: skip
    assert states == [("PAID", 2)], "a projection pays nothing"


def test_a_projection_of_a_closed_period_is_refused(tenant: Tenant) -> None:
    tenant.close()
    tenant.refused("CP211", "payroll", "select pay.project(%s, %s)", tenant.id, tenant.periods[0])


def test_crew_see_their_own_projection(tenant: Tenant) -> None:
    project(tenant)
    login = ensure_login(tenant.conn, f"{tenant.slug}_ada", tenant.id, "crew", crew_member=tenant.crew["ada"])
    tenant.logins["crew"] = login
    seen = tenant.call(
        "crew", "select count(*), min(crew_member_id::text) as who from pay.calculation_versions"
    )
    assert (seen["count"], seen["who"]) == (1, str(tenant.crew["ada"]))
    tenant.conn.execute("delete from auth.principals where login = %s", (login,))


def test_commands(tenant: Tenant, database: Target) -> None:
    tenant.run()
    fine = crewpay(database, tenant, "pay", "verify", "2013-01", "--json")
    assert (fine.returncode, json.loads(fine.stdout)["data"][0]["differences"]) == (0, 0), fine.stderr
    tenant.conn.execute("update crew.crew_members set base_hourly_rate = 70 where id = %s", (tenant.crew["ada"],))  # fmt: skip
    tenant.run()
    told = json.loads(crewpay(database, tenant, "pay", "diff", "2013-01", "--json").stdout)["data"]
    assert [(r["component"], r["cause"], r["difference"]) for r in told] == [
        ("flight_pay", "rate", "55.00"), ("guarantee", "rate", "45.00"),
    ]  # fmt: skip
    projected = json.loads(crewpay(database, tenant, "pay", "project", "--json").stdout)["data"]
    assert [r["employee_id"] for r in projected] == ["ada", "bo", "lu"]
    exported = crewpay(database, tenant, "pay", "export", "2013-01").stdout.splitlines()
    assert exported[0].startswith("employee_id,start_date,end_date,pay_date,currency,flight_pay_hours")
    assert exported[1].startswith("ada,2013-01-01,2013-01-31,")
    lines = crewpay(database, tenant, "pay", "export", "2013-01", "--lines").stdout.splitlines()
    assert len(lines) > len(exported)
    with behind_its_back(tenant.conn):
        tenant.conn.execute("update pay.pay_runs set total_amount = 1 where enterprise_id = %s", (tenant.id,))
    assert crewpay(database, tenant, "pay", "verify", "2013-01").returncode == 1
