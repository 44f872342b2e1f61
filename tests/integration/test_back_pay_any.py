"""Whatever is corrected and agreed afterwards: the books and their back pay together are what the period would pay now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from crewpay_sync.database import Target
from crewpay_sync.tenants import ensure_login
from tests.conftest import LONG
from tests.integration.test_back_pay import approve, change, found, retro
from tests.tenants import Tenant, add_airports, made_tenant

CREW = ("ada", "bo", "cy")
GUAR: dict[str, Any] = {"type": "monthly_guarantee", "hours": 6, "proration": "calendar_days"}
OVER: dict[str, Any] = {"type": "overtime", "threshold_hours": 8, "multiplier": 1.5}
CASE: dict[str, Any] = {
    "crew": {who: {"rate": 50 + 7 * n, "months": {"2013-01": {}}} for n, who in enumerate(CREW)},
    "periods": [["2013-01-01", "2013-01-15"], ["2013-01-16", "2013-01-31"], "2013-02"],
    "terms": {
        "BLOCK": {"type": "leg_credit", "basis": "greater", "compare_at": "leg"},
        "RIG": {"type": "duty_rig", "ratio": 3},
        "LEG": {"type": "pay", "level": "leg", "component": "premium", "amount": 10},
        "DIEM": {"type": "per_diem", "rate": 2.35, "per": "hour"},
        "GUAR": GUAR,
        "OVER": OVER,
    },
    "trips": [
        {"crew": who, "trip": f"T{who}{day}", "duties": [{
            "report": f"2013-01-{day:02} 08:00", "release": "16:00",
            "legs": [{"leg": "JFK-BOS", "scheduled": "09:00-10:15"}, {"leg": "BOS-JFK", "scheduled": "14:00-15:30"}],
        }]}
        for who in CREW
        for day in (4, 12, 22)
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def tenant(database: Target) -> Iterator[Tenant]:
    """One airline for all examples: what they change and pay adds up."""
    with closing(database.connect(autocommit=True)) as conn:
        add_airports(conn)
        with made_tenant(conn, CASE) as made:
            user = uuid4()
            conn.execute("insert into platform.users (enterprise_id, id, email) values (%s, %s, 'c@x.example')", (made.id, user))  # fmt: skip
            made.logins["chief"] = ensure_login(conn, f"{made.slug}_chief", made.id, "admin", user=user)
            for period in (1, 2):
                made.close(period)
            yield made


@contextmanager
def reading_so_already(code: str) -> Iterator[None]:
    """An edit that changes nothing is refused."""
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate != code:
            raise


def correct(tenant: Tenant, table: str, key: str, changes: dict[str, Any]) -> None:
    with reading_so_already("CP316"):
        asked = tenant.call("payroll", "select * from crew.correct(%s, %s, %s, 'seen')", table, key, Jsonb(changes))  # fmt: skip
        tenant.call("admin", "select (crew.approve_correction(%s)).id", asked["id"])


def of(tenant: Tenant, statement: str, who: str, n: int) -> str:
    row = tenant.conn.execute(statement, (tenant.crew[who], n)).fetchone()
    assert row is not None
    return str(row[0])


LEG = "select id from crew.crew_assignments where crew_member_id = %s order by leg_no offset %s %% 6 limit 1"
FLIGHT = LEG.replace("select id", "select flight_id")
TRIP = "select id from crew.trips where crew_member_id = %s order by start_at offset %s %% 3 limit 1"


def arrive(tenant: Tenant, who: str, n: int) -> None:
    flight = of(tenant, FLIGHT, who, n)
    row = tenant.conn.execute("select scheduled_arrival + make_interval(mins => %s) from crew.flights where id = %s", (7 * n - 20, flight)).fetchone()  # fmt: skip
    assert row is not None
    correct(tenant, "crew.flights", flight, {"actual_arrival": row[0].isoformat()})


def ride(tenant: Tenant, who: str, n: int) -> None:
    correct(tenant, "crew.crew_assignments", of(tenant, LEG, who, n), {"position": "DEADHEAD" if n % 2 else "OPERATING"})  # fmt: skip


def retire(tenant: Tenant, who: str, n: int) -> None:
    correct(tenant, "crew.crew_assignments", of(tenant, LEG, who, n), {"retired_at": "2013-02-01T00:00:00Z" if n % 2 else None})  # fmt: skip


def end_late(tenant: Tenant, who: str, n: int) -> None:
    trip = of(tenant, TRIP, who, n)
    row = tenant.conn.execute("select scheduled_end_at + make_interval(mins => %s) from crew.trips where id = %s", (11 * n, trip)).fetchone()  # fmt: skip
    assert row is not None
    correct(tenant, "crew.trips", trip, {"end_at": row[0].isoformat()})


def days(tenant: Tenant, who: str, n: int) -> None:
    correct(tenant, "crew.crew_months", f"{tenant.crew[who]}:2013-01-01", {"unpaid_days": n})


def amend(tenant: Tenant, who: str, n: int) -> None:
    terms: dict[str, dict[str, Any]] = {
        "ada": {"GUAR": {**GUAR, "hours": 5 + n}},
        "bo": {"OVER": {**OVER, "threshold_hours": 6 + n}},
        "cy": {"LEG": {"type": "pay", "level": "leg", "component": "premium", "amount": n}},
    }
    with reading_so_already("CP311"):
        change(tenant, **terms[who])


EDITS: tuple[Callable[[Tenant, str, int], None], ...] = (arrive, ride, retire, end_late, days, amend)
COMPONENTS = ("flight_pay", "overtime", "per_diem", "premium", "delay_pay", "guarantee")


def paid_now(tenant: Tenant, period: int) -> dict[tuple[str, str], Decimal]:
    """What a run of everybody pays under what is known now, looked at and taken back."""
    with tenant.conn.transaction(force_rollback=True):
        tenant.conn.execute("update pay.pay_periods set status = 'OPEN' where id = %s", (tenant.periods[period - 1],))  # fmt: skip
        tenant.run(period)
        return {(who, part): tenant.totals(who, period)[part] for who in CREW for part in COMPONENTS}


def booked(tenant: Tenant, period: int) -> dict[tuple[str, str], Decimal]:
    sums = {(who, part): tenant.totals(who, period)[part] for who in CREW for part in COMPONENTS}
    for who, part, amount in tenant.conn.execute(
        """select m.employee_id, b.component::text, b.amount from pay.back_pay b join crew.crew_members m on m.id = b.crew_member_id
           where b.enterprise_id = %s and b.pay_period_id = %s and b.state = 'APPROVED'""",
        (tenant.id, tenant.periods[period - 1]),
    ):
        sums[who, part] += amount
    return sums


@settings(max_examples=80 if LONG else 8, phases=(Phase.explicit, Phase.generate))
@given(st.lists(st.tuples(st.sampled_from(EDITS), st.sampled_from(CREW), st.integers(0, 6)), min_size=1, max_size=4))  # fmt: skip
def test_books_and_back_pay_are_what_is_paid_now(tenant: Tenant, edits: list[Any]) -> None:
    for edit, who, n in edits:
        edit(tenant, who, n)
    made = retro(tenant)
    causes = {row[3] for row in found(tenant, made)}
    assert causes <= {"fact", "term"}, causes
    if made["state"] == "PROPOSED":
        approve(tenant, made)
    for period in (1, 2):
        assert booked(tenant, period) == paid_now(tenant, period)
    assert retro(tenant)["state"] == "NOTHING_OWED"
    owed = tenant.conn.execute("select coalesce(sum(amount), 0) from pay.adjustments where enterprise_id = %s and source = 'RETRO'", (tenant.id,)).fetchone()  # fmt: skip
    overpaid = tenant.conn.execute("select coalesce(sum(amount), 0) from pay.recoveries where enterprise_id = %s", (tenant.id,)).fetchone()  # fmt: skip
    balance = tenant.conn.execute("select coalesce(sum(amount), 0) from pay.back_pay where enterprise_id = %s and state = 'APPROVED'", (tenant.id,)).fetchone()  # fmt: skip
    assert owed is not None
    assert overpaid is not None
    assert balance is not None
    assert owed[0] - overpaid[0] == balance[0]
    with tenant.acting("payroll") as conn:
        for (run,) in conn.execute("select distinct run_id from pay.retro_results where retro_id = %s", (made["id"],)).fetchall():  # fmt: skip
            assert conn.execute("select * from pay.verify_run(%s)", (run,)).fetchall() == []
