"""Worked cases of what comes after a run (books/*.yaml): back pay, recovery, overrides, projections, what-ifs, to the cent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from crewpay_sync.database import Target
from crewpay_sync.tenants import ensure_login
from tests.golden.conftest import plain
from tests.golden.test_golden import COMPONENTS, check_pay, read
from tests.tenants import Tenant, add_airports, made_tenant

CASES = sorted((Path(__file__).parent / "books").glob("*.yaml"))


@pytest.fixture(scope="module")
def operator(database: Target) -> Iterator[psycopg.Connection[Any]]:
    with closing(database.connect(autocommit=True)) as conn:
        add_airports(conn)
        yield conn


def money(value: Any) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.01"))


def run(tenant: Tenant, period: int) -> None:
    tenant.run(period)


def close(tenant: Tenant, periods: list[int]) -> None:
    for period in periods:
        tenant.close(period)


def flight(tenant: Tenant, crew: str, leg: int) -> str:
    row = tenant.conn.execute(
        "select flight_id::text from crew.crew_assignments where crew_member_id = %s order by duty_start_time, leg_no offset %s limit 1",
        (tenant.crew[crew], leg - 1),
    ).fetchone()
    assert row is not None
    return str(row[0])


def correct(tenant: Tenant, step: dict[str, Any]) -> None:
    out, into = tenant._span(step["actual"], tenant.zones[step["crew"]], None)
    assert into is not None
    asked = tenant.call(
        "payroll", "select * from crew.correct('crew.flights', %s, %s, 'late report')", flight(tenant, step["crew"], step["leg"]),
        Jsonb({"actual_departure": out.isoformat(), "actual_arrival": into.isoformat()}),
    )  # fmt: skip
    tenant.call("admin", "select (crew.approve_correction(%s)).id", asked["id"])


def amend(tenant: Tenant, terms: dict[str, Any]) -> None:
    asked = tenant.conn.execute("select exists (select from pay.approvals where enterprise_id = %s and subject_kind = 'RUN')", (tenant.id,)).fetchone()  # fmt: skip
    if asked == (False,):  # nobody was paid by the contract yet
        tenant.load(tenant.contract({"terms": terms}))
        return
    change = tenant.call("admin", "select * from rules.request_contract(%s, 'new agreement')", Jsonb(tenant.contract({"terms": terms})))  # fmt: skip
    tenant.call("chief", "select (pay.approve_rate_change(%s)).id", change["id"])


def rates(tenant: Tenant, given: dict[str, Any]) -> None:
    change = tenant.call("admin", "select * from pay.request_rates(%s, 'raise')", Jsonb(given))
    tenant.call("chief", "select (pay.approve_rate_change(%s)).id", change["id"])


def member(tenant: Tenant, step: dict[str, Any]) -> None:
    crew = step.pop("crew")
    for column, value in step.items():
        tenant.conn.execute(
            sql.SQL("update crew.crew_members set {} = %s where id = %s").format(sql.Identifier(column)),
            (value, tenant.crew[crew]),
        )


def back_pay(tenant: Tenant, step: dict[str, Any]) -> None:
    keys = [tenant.periods[p - 1] for p in step["periods"]] if "periods" in step else None
    made = tenant.call(
        "payroll", "select * from pay.retro(%s, %s::uuid[], 'agreed', %s)", tenant.id, keys, step.get("with_rates", False)
    )  # fmt: skip
    found = tenant.conn.execute(
        """select m.employee_id, array_position(%s::uuid[], b.pay_period_id), b.component::text, b.cause, b.amount
           from pay.back_pay b join crew.crew_members m on m.id = b.crew_member_id where b.retro_id = %s order by 1, 2, 3, 4""",
        (tenant.periods, made["id"]),
    ).fetchall()
    if not step["found"]:
        assert (made["state"], sum(row[4] for row in found)) == ("NOTHING_OWED", 0)
        return
    assert [list(row) for row in found] == [[*row[:4], money(row[4])] for row in step["found"]]
    tenant.call("admin", "select (pay.approve_retro(%s, %s)).id", made["id"], tenant.periods[step["paid_in"] - 1])  # fmt: skip


def recover(tenant: Tenant, step: dict[str, Any]) -> None:
    key = tenant.call("admin", "select id from pay.recoveries where state = 'PROPOSED' and crew_member_id = %s", tenant.crew[step["crew"]])["id"]  # fmt: skip
    tenant.call("admin", "select (pay.approve_recovery(%s, %s::uuid[])).id", key, [tenant.periods[p - 1] for p in step["in"]])  # fmt: skip


def override(tenant: Tenant, step: dict[str, Any]) -> None:
    line: list[Any] = [None, None, None]
    if "line" in step:
        node = tenant.conn.execute(
            "select min(node) from pay.pay_lines where crew_member_id = %s and term_code = %s",
            (tenant.crew[step["crew"]], step["line"][0]),
        ).fetchone()
        line = [*step["line"], *(node or ())]
    made = tenant.call(
        "payroll", "select * from pay.override(%s, %s, %s, %s, %s, %s, %s, %s, %s)", tenant.id, tenant.crew[step["crew"]],
        tenant.periods[step["period"] - 1], step["component"], money(step["amount"]), step["reason"], *line,
    )  # fmt: skip
    assert made["state"] == "APPROVED"


def reset(tenant: Tenant, crew: str) -> None:
    with tenant.acting("payroll") as conn:
        conn.execute("select pay.reset_override(id, 'over') from pay.overrides where state = 'APPROVED' and crew_member_id = %s", (tenant.crew[crew],))  # fmt: skip


def project(tenant: Tenant, step: dict[str, Any]) -> None:
    made = tenant.call("payroll", "select * from pay.project(%s, %s)", tenant.id, tenant.periods[step["period"] - 1])  # fmt: skip
    for crew, want in step["expect"].items():
        with tenant.conn.cursor(row_factory=dict_row) as cursor:
            got = cursor.execute(
                """select flight_pay_amount as flight_pay, overtime_amount as overtime, delay_pay_amount as delay_pay, per_diem_amount as per_diem,
                     premium_pay_amount as premium, guarantee_amount as guarantee, adjustment_amount as adjustment, total_gross_pay as total
                   from pay.calculation_versions where run_id = %s and crew_member_id = %s""",
                (made["id"], tenant.crew[crew]),
            ).fetchone()
        assert got is not None
        assert got == {part: money(want.get(part, 0)) for part in got}


def what_if(tenant: Tenant, step: dict[str, Any]) -> None:
    keys = [tenant.periods[p - 1] for p in step["periods"]]
    changes = Jsonb({"terms": tenant.contract({"terms": step["terms"]})["terms"]})
    told = tenant.call("payroll", "select pay.what_if(%s, %s, %s) as told", tenant.id, keys, changes)["told"]
    for name, want in step["expect"].items():
        if isinstance(want, dict):
            groups = {row["name"]: [row["books"], row["proposed"]] for row in told[name]}
            assert {key: groups.get(key) for key in want} == want, name
        else:
            assert told[name] == want, name


def expect(tenant: Tenant, step: dict[str, Any]) -> None:
    period = step.pop("period")
    for crew, want in step.items():
        totals = tenant.totals(crew, period)
        row = tenant.conn.execute(
            "select adjustment_amount from pay.pay_calculations where crew_member_id = %s and pay_period_id = %s",
            (tenant.crew[crew], tenant.periods[period - 1]),
        ).fetchone()
        assert row is not None
        assert row[0] == money(want["totals"].get("adjustment", 0)), f"adjustments of {crew}"
        if "lines" in want:
            check_pay(tenant, crew, period, want)
        else:
            for part in (*COMPONENTS, "total"):
                assert totals[part] == money(want["totals"].get(part, 0)), f"{part} of {crew} in {period}"


def proved(tenant: Tenant, periods: list[int]) -> None:
    keys = [tenant.periods[p - 1] for p in periods]
    with tenant.acting("payroll") as conn:
        runs = conn.execute("select id from pay.pay_runs where pay_period_id = any (%s) and kind in ('REGULAR', 'RETRO')", (keys,)).fetchall()  # fmt: skip
        for (each,) in runs:
            assert conn.execute("select * from pay.verify_run(%s)", (each,)).fetchall() == []


STEPS: dict[str, Callable[[Tenant, Any], None]] = {
    "run": run, "close": close, "correct": correct, "amend": amend, "rates": rates, "member": member, "back_pay": back_pay,
    "recover": recover, "override": override, "reset": reset, "project": project, "what_if": what_if, "expect": expect, "proved": proved,
}  # fmt: skip


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path, operator: psycopg.Connection[Any]) -> None:
    case = read(path)
    assert all(case[key] for key in ("title", "source", "arithmetic"))
    with made_tenant(operator, case) as tenant:
        user = uuid4()
        operator.execute("insert into platform.users (enterprise_id, id, email) values (%s, %s, 'chief@x.example')", (tenant.id, user))  # fmt: skip
        tenant.logins["chief"] = ensure_login(operator, f"{tenant.slug}_chief", tenant.id, "admin", user=user)
        for step in case["steps"]:
            for name, given in step.items():
                STEPS[name](tenant, dict(plain(given)) if isinstance(given, dict) else given)
        operator.execute("delete from auth.principals where login = %s", (tenant.logins["chief"],))
