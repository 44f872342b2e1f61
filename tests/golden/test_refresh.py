"""Dirty marks and pay.refresh(): after any edits of any input, computing only who is dirty gives what a run of everybody gives."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from crewpay_sync.database import Target

CREW = ("A", "B", "C", "D", "E", "F", "G", "H")
TERMS: dict[str, Any] = {
    "X_3.A": {"type": "leg_credit", "basis": "greater", "compare_at": "leg", "factors": {"DEADHEAD": 0.5}},
    "X_3.B": {"type": "cancellation_protection"},
    "X_4.A": {"type": "minimum_duty", "hours": 3},
    "X_5.A": {"type": "monthly_guarantee", "hours": 12, "proration": "calendar_days"},
    "X_10.A": {"type": "overtime", "threshold_hours": 9, "multiplier": 1.5},
    "X_12.A": {"type": "premium", "level": "trip", "basis": "credit", "when": {"==": [{"var": "trip.pickup"}, "OPEN_TIME"]}, "multiplier": 1.5},
    "X_8.D": {"type": "per_diem", "rate": 2, "per": "hour"},
}  # fmt: skip


def duty(day: int, month: int = 1) -> dict[str, Any]:
    return {
        "report": f"2013-{month:02}-{day:02} 08:00", "release": "17:00",
        "legs": [{"leg": "JFK-BOS", "scheduled": "09:00-10:15"}, {"leg": "BOS-JFK", "scheduled": "14:00-15:30"}],
    }  # fmt: skip


CASE: dict[str, Any] = {
    "crew": {
        name: {"rate": 50 + n, "position": "CAPTAIN" if n % 2 else "FIRST_OFFICER", "base": "LAX" if n == 5 else "JFK", "months": {"2013-01": {}}}
        for n, name in enumerate(CREW)
    },
    "terms": TERMS,
    "periods": [["2013-01-01", "2013-01-15"], ["2013-01-16", "2013-01-31"]],
    "trips": [
        {"crew": name, "trip": f"T{name}{first}", "duties": [duty(first), duty(first + 1)]}
        for name in CREW
        for first in (3, 14, 22)
    ],
}  # fmt: skip


@pytest.fixture
def airline(airlines: Callable[[], Any]) -> Any:
    return ready(airlines)


def ready(airlines: Callable[[], Any]) -> Any:
    made = airlines()
    made.build(CASE)
    made.load(made.contract(CASE))
    made.run(1)
    made.run(2)
    return made


def refresh(airline: Any, period: int) -> dict[str, Any]:
    with airline.acting("payroll") as conn, conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            "select * from pay.refresh(%s, %s)", (airline.id, airline.periods[period - 1])
        ).fetchone()
    assert row is not None
    found: dict[str, Any] = row
    return found


def run(airline: Any, period: int, kept: bool = True) -> dict[str, Any]:
    """A run of everybody, looked at and taken back."""
    with (
        airline.acting("payroll") as conn,
        conn.transaction(force_rollback=kept),
        conn.cursor(row_factory=dict_row) as cursor,
    ):
        row = cursor.execute(
            "select * from pay.run(%s, %s)", (airline.id, airline.periods[period - 1])
        ).fetchone()
        assert row is not None
        findings = cursor.execute(
            "select crew_member_id, code, term_id, level, node, detail from pay.run_findings where run_id = %s order by crew_member_id, term_id, node",
            (row["id"],),
        ).fetchall()
    return {**row, "findings": findings}


def marks(airline: Any) -> int:
    row = airline.conn.execute(
        "select count(*) from pay.dirty_marks where enterprise_id = %s", (airline.id,)
    ).fetchone()
    return int(row[0])


def edit(statement: str) -> Callable[[Any, str, int], None]:
    """A statement of the operator about a crew member and a number."""

    def change(airline: Any, crew: str, n: int) -> None:
        airline.conn.execute(statement, {"tenant": airline.id, "crew": airline.crew[crew], "n": n})

    return change


def flight_of(column: str) -> str:
    return f"""update crew.flights set {column} where enterprise_id = %(tenant)s and id in (
        select flight_id from crew.crew_assignments where enterprise_id = %(tenant)s and crew_member_id = %(crew)s order by leg_no limit 1 offset %(n)s)"""


def load(**terms: Any) -> Callable[[Any, str, int], None]:
    def change(airline: Any, crew: str, n: int) -> None:
        formulas = {
            code.replace("_", ".").replace("X.", "X_", 1): {
                k: v if v != "n" else 8 + n for k, v in formula.items()
            }
            for code, formula in terms.items()
        }
        airline.load(airline.contract({"terms": formulas}))

    return change


def load_edge(airline: Any, crew: str, n: int) -> None:
    airline.load(
        {
            "edges": [
                {
                    "kind": "CONFLICTS_WITH",
                    "from": "X_12.A",
                    "to": "X_8.D",
                    "properties": {"resolutionMethod": "PRIORITY", "notes": str(n)},
                }
            ]
        }
    )


def add_duty(airline: Any, crew: str, n: int) -> None:
    airline.add_duty(crew, {**duty(8 + n), "legs": [{"leg": "JFK-MIA", "scheduled": "09:00-12:00"}]})


def add_crew(airline: Any, crew: str, n: int) -> None:
    name = f"N{len(airline.crew)}"
    airline.add_crew(name, {"rate": 44, "hired": f"2013-01-{10 + n}"})
    airline.add_duty(name, duty(24))


def adjust(airline: Any, crew: str, n: int) -> None:
    with airline.acting("payroll") as conn:
        conn.execute(
            "select pay.adjust(%s, %s, %s, %s, 'edit')",
            (airline.id, airline.crew[crew], airline.periods[n % 2], 1 + n),
        )


def withdraw(airline: Any, crew: str, n: int) -> None:
    adjust(airline, crew, n)
    airline.conn.execute(
        "update pay.adjustments set state = 'WITHDRAWN' where enterprise_id = %s and state = 'APPROVED'",
        (airline.id,),
    )


def run_one(airline: Any, crew: str, n: int) -> None:
    airline.run(1 + n % 2, crew=[crew])


OVERRIDE = """insert into pay.overrides (enterprise_id, crew_member_id, pay_period_id, component, amount, original_amount, reason, state, requested_by, requested_by_person, approved_at)
    select %(tenant)s, %(crew)s, id, 'flight_pay', 100 + %(n)s, 0, 'edit', 'APPROVED', 'operator', gen_random_uuid(), clock_timestamp()
    from pay.pay_periods where enterprise_id = %(tenant)s on conflict do nothing"""  # fmt: skip
OVERRIDE_RESET = f"""with set_first as ({OVERRIDE} returning id)
    update pay.overrides set state = 'RESET', reset_by = 'operator', reset_at = clock_timestamp()
    where enterprise_id = %(tenant)s and crew_member_id = %(crew)s and state = 'APPROVED'"""

EDITS: dict[str, Callable[[Any, str, int], None]] = {
    "actual arrival": edit(flight_of("actual_arrival = actual_arrival + interval '40 minutes'")),
    "cancelled": edit(flight_of("status = 'CANCELLED'")),
    "arrival missing": edit(flight_of("status = 'SCHEDULED', actual_arrival = null, actual_departure = null")),
    "leg retired": edit("""update crew.crew_assignments set retired_at = now() where enterprise_id = %(tenant)s and leg_no = (
        select leg_no from crew.crew_assignments where crew_member_id = %(crew)s order by leg_no limit 1 offset %(n)s)"""),
    "leg of somebody else": edit("""update crew.crew_assignments set crew_member_id = (
          select id from crew.crew_members where enterprise_id = %(tenant)s and id <> %(crew)s and base_location = 'JFK' order by employee_id limit 1 offset %(n)s), trip_id = null
        where enterprise_id = %(tenant)s and leg_no = (select max(leg_no) from crew.crew_assignments where crew_member_id = %(crew)s)"""),
    "leg deleted": edit("""delete from crew.crew_assignments as a where enterprise_id = %(tenant)s and crew_member_id = %(crew)s and activity = 'TRAINING'"""),
    "training": edit("""insert into crew.crew_assignments (enterprise_id, crew_member_id, activity, duty_start_time, duty_end_time)
        values (%(tenant)s, %(crew)s, 'TRAINING', timestamptz '2013-01-09 14:00Z' + %(n)s * interval '1 day', timestamptz '2013-01-09 20:00Z' + %(n)s * interval '1 day')"""),
    "deadhead": edit("update crew.crew_assignments set position = 'DEADHEAD' where enterprise_id = %(tenant)s and crew_member_id = %(crew)s"),
    "pickup": edit("update crew.trips set pickup = 'OPEN_TIME' where enterprise_id = %(tenant)s and crew_member_id = %(crew)s"),
    "trip longer": edit("update crew.trips set end_at = end_at + interval '5 hours' where enterprise_id = %(tenant)s and crew_member_id = %(crew)s"),
    "unpaid days": edit("update crew.crew_months set unpaid_days = %(n)s where enterprise_id = %(tenant)s and crew_member_id = %(crew)s"),
    "month gone": edit("delete from crew.crew_months where enterprise_id = %(tenant)s and crew_member_id = %(crew)s"),
    "rate": edit("update crew.crew_members set base_hourly_rate = 60 + %(n)s where enterprise_id = %(tenant)s and id = %(crew)s"),
    "no rate": edit("update crew.crew_members set base_hourly_rate = null where enterprise_id = %(tenant)s and id = %(crew)s"),
    "left": edit("update crew.crew_members set termination_date = date '2013-01-08' + %(n)s where enterprise_id = %(tenant)s and id = %(crew)s"),
    "gone before": edit("update crew.crew_members set termination_date = '2012-12-20' where enterprise_id = %(tenant)s and id = %(crew)s"),
    "promoted": edit("update crew.crew_members set position = 'CHECK_AIRMAN' where enterprise_id = %(tenant)s and id = %(crew)s"),
    "moved": edit("update crew.crew_members set base_location = 'ORD' where enterprise_id = %(tenant)s and id = %(crew)s"),
    "new duty": add_duty,
    "new crew member": add_crew,
    "guarantee": load(X_5_A={"type": "monthly_guarantee", "hours": "n", "proration": "calendar_days"}),
    "captains only": load(X_6_A={"type": "premium", "level": "leg", "amount": "n", "applies_to": ["CAPTAIN"]}),
    "rule graph": load_edge,
    "override": edit(OVERRIDE),
    "override reset": edit(OVERRIDE_RESET),
    "adjustment": adjust,
    "adjustment withdrawn": withdraw,
    "setting": lambda airline, crew, n: airline.conn.execute(
        "insert into platform.system_configs (key, value, value_type, category, tenant_id, is_active, version) values ('pay.edit', %s, 'number', 'business', %s, false, (random() * 1e9)::int)",
        (str(n), airline.id)),
    "run of one": run_one,
    "nothing": lambda airline, crew, n: None,
}  # fmt: skip


def compare(airline: Any) -> None:
    for period in (1, 2):
        whole = run(airline, period)
        refreshed = refresh(airline, period)
        for key in ("result_hash", "total_amount", "crew_count", "line_count", "finding_count"):
            assert refreshed[key] == whole[key], key
        findings = (
            airline.conn.cursor(row_factory=dict_row)
            .execute(
                "select crew_member_id, code, term_id, level, node, detail from pay.run_findings where run_id = %s order by crew_member_id, term_id, node",
                (refreshed["id"],),
            )
            .fetchall()
        )
        assert findings == whole["findings"]
        assert refresh(airline, period)["id"] == refreshed["id"], "nothing is dirty any more"
    assert marks(airline) == 0


@given(
    edits=st.lists(
        st.tuples(st.sampled_from(sorted(EDITS)), st.sampled_from(CREW), st.integers(0, 5)),
        min_size=1,
        max_size=6,
    )
)
def test_incremental_equals_full(airlines: Callable[[], Any], edits: list[tuple[str, str, int]]) -> None:
    airline = ready(airlines)
    for name, crew, n in edits:
        EDITS[name](airline, crew, n)
    compare(airline)


@pytest.mark.parametrize("name", sorted(set(EDITS) - {"nothing"}))
def test_each_edit_is_noticed(airline: Any, name: str) -> None:
    """Alone, with as few computed again as it takes."""
    if name == "leg deleted":
        EDITS["training"](airline, "B", 1)
    if name == "override reset":
        EDITS["override"](airline, "B", 1)
        for period in (1, 2):
            refresh(airline, period)
    EDITS[name](airline, "B", 3)
    if name != "run of one":
        assert marks(airline) > 0
    before = [run(airline, period)["result_hash"] for period in (1, 2)]
    compare(airline)
    assert [run(airline, period)["result_hash"] for period in (1, 2)] == before


def test_only_who_is_dirty_is_computed(airline: Any) -> None:
    first = airline.run(1)
    EDITS["rate"](airline, "B", 3)
    second = refresh(airline, 1)
    assert (second["carried_from"], second["refreshed_crew"]) == (first["id"], [airline.crew["B"]])
    runs = airline.conn.execute(
        "select run_id, count(*) from pay.pay_calculations where pay_period_id = %s group by run_id",
        (airline.periods[0],),
    ).fetchall()
    assert sorted(runs) == sorted([(first["id"], 7), (second["id"], 1)])
    states = airline.conn.execute(
        "select id, state::text from pay.pay_runs where pay_period_id = %s and id in (%s, %s)",
        (airline.periods[0], first["id"], second["id"]),
    ).fetchall()
    assert dict(states) == {first["id"]: "superseded", second["id"]: "published"}
    assert (
        airline.totals("B")["flight_pay"] == Decimal("63") * Decimal("9.5")
        or airline.totals("B")["flight_pay"] > 0
    )


def test_results_of_any_run_can_be_read_again(airline: Any) -> None:
    """Of runs that carried results over and are superseded themselves, by the hash each was published with."""
    published = [airline.run(1)]
    for name, crew in (("rate", "B"), ("unpaid days", "C"), ("rate", "C"), ("gone before", "D")):
        EDITS[name](airline, crew, 3)
        published.append(refresh(airline, 1))
    for each in published:
        row = airline.conn.execute(
            """select count(*), encode(sha256(string_agg(sha256(uuid_send(c.crew_member_id) || array_send(c.line_term) || array_send(c.line_node)
                 || array_send(c.line_quantity) || array_send(c.line_cents)), '' order by c.crew_member_id)), 'hex')
               from pay.pay_runs as r cross join lateral pay.results_of(r) as c where r.id = %s""",
            (each["id"],),
        ).fetchone()
        assert row == (each["crew_count"], each["result_hash"])


def test_a_change_of_rules_touches_who_is_under_them(airline: Any) -> None:
    EDITS["captains only"](airline, "B", 3)
    refresh(airline, 1)
    EDITS["captains only"](airline, "B", 4)
    assert len(refresh(airline, 1)["refreshed_crew"]) == 4, "the captains, half of the eight"


def test_a_closed_period_is_not_marked_and_refuses(airline: Any) -> None:
    airline.conn.execute(
        "update pay.pay_periods set status = 'CLOSED' where enterprise_id = %s and id = %s",
        (airline.id, airline.periods[0]),
    )
    EDITS["rate"](airline, "B", 3)
    found = airline.conn.execute(
        "select distinct pay_period_id from pay.dirty_marks where enterprise_id = %s", (airline.id,)
    ).fetchall()
    assert found == [(airline.periods[1],)]
    with pytest.raises(psycopg.Error) as caught:
        refresh(airline, 1)
    assert caught.value.sqlstate == "CP211"
    airline.conn.execute(
        "update pay.pay_periods set status = 'OPEN' where enterprise_id = %s and id = %s",
        (airline.id, airline.periods[0]),
    )
    compare(airline)


def test_a_change_that_a_run_did_not_see_stays_dirty(airline: Any, database: Target) -> None:
    """Committed while the run computes under its snapshot, with workers as without."""
    with closing(database.connect()) as running:
        running.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with airline.acting("payroll", running):
            running.execute("select 1 from pay.pay_periods limit 1")
            EDITS["rate"](airline, "B", 3)
            running.execute("select pay.run(%s, %s)", (airline.id, airline.periods[0]))
            running.commit()
    assert marks(airline) > 0
    compare(airline)


def test_writers_wait_neither_for_a_run_nor_for_each_other(airline: Any, database: Target) -> None:
    EDITS["rate"](airline, "B", 1)
    with (
        closing(database.connect()) as running,
        closing(database.connect()) as other,
        airline.acting("payroll", running),
    ):
        running.execute("select pay.refresh(%s, %s)", (airline.id, airline.periods[0]))
        other.execute("set lock_timeout = '2s'")
        other.execute(
            "update crew.crew_members set base_hourly_rate = 71 where id = %s", (airline.crew["B"],)
        )
        airline.conn.execute(
            "update crew.crew_months set unpaid_days = 2 where crew_member_id = %s", (airline.crew["B"],)
        )
        with pytest.raises(psycopg.Error) as caught:
            refresh(airline, 1)
        assert caught.value.sqlstate == "CP210"
        other.commit()
        running.commit()
    compare(airline)


def test_refused(airline: Any, airlines: Callable[[], Any]) -> None:
    other = airlines()
    other.build(CASE)
    for enterprise, period, code in (
        (airline.id, other.periods[0], "CP214"),
        (other.id, other.periods[0], "42501"),
    ):
        with pytest.raises(psycopg.Error) as caught, airline.acting("payroll") as conn:
            conn.execute("select pay.refresh(%s, %s)", (enterprise, period))
        assert caught.value.sqlstate == code
    with airline.acting("payroll") as conn:
        row = conn.execute(
            "select count(*) from pay.dirty_marks where enterprise_id <> %s", (airline.id,)
        ).fetchone()
    assert row == (0,), "nobody sees another airline's marks"


ADVANCE: dict[str, Any] = {
    "crew": {"ada": {"rate": 60}, "bo": {"rate": 60}},
    "periods": [["2013-01-01", "2013-01-15"], ["2013-01-16", "2013-01-31"]],
    "terms": {
        "X_3.A": {"type": "leg_credit", "basis": "actual"},
        "X_5.A": {"type": "monthly_guarantee", "hours": 10, "proration": "none"},
        "X_4.A": {"type": "advance", "hours": {"*": [{"if": [{">=": [{"var": "month.projected_credit"}, 180]}, 0.7, 0.5]}, 10]}},
    },
    "duties": [
        {"crew": crew, "report": "2013-01-10 08:00", "release": "17:00", "legs": [{"leg": "JFK-BOS", "scheduled": "09:00-11:00"}]}
        for crew in ("ada", "bo")
    ],
}  # fmt: skip


def test_what_was_paid_in_advance_reaches_the_later_period(airlines: Callable[[], Any]) -> None:
    """Advance 0.5 x 10 h = 300.00, then 0.7 x 10 h = 420.00; the month pays 600.00, less the advance."""
    airline = airlines()
    airline.build(ADVANCE)
    airline.load(airline.contract(ADVANCE))
    for period in (1, 2):
        airline.run(period)
    refresh(airline, 2)
    EDITS["actual arrival"](airline, "ada", 0)
    EDITS["actual arrival"](airline, "ada", 0)
    refresh(airline, 2)
    assert airline.totals("ada", 2)["total"] == 300, "the first half is as it was"
    refresh(airline, 1)
    assert airline.totals("ada", 1)["total"] == 420
    assert refresh(airline, 2)["refreshed_crew"] == [airline.crew["ada"]]
    assert airline.totals("ada", 2)["total"] == 180
    before = [refresh(airline, period)["result_hash"] for period in (1, 2)]
    assert [airline.run(period)["result_hash"] for period in (1, 2)] == before


def open_refreshed(airline: Any) -> int:
    with airline.acting("payroll") as conn:
        row = conn.execute("select pay.refresh_open_periods()").fetchone()
    count: int = row[0]
    return count


def test_what_the_scheduler_does(airline: Any, airlines: Callable[[], Any]) -> None:
    other = ready(airlines)
    EDITS["rate"](other, "B", 1)
    assert open_refreshed(airline) == 0, "nothing has changed here"
    EDITS["rate"](airline, "B", 1)
    assert open_refreshed(airline) == 2
    assert (marks(airline), marks(other) > 0) == (0, True)
    EDITS["rate"](airline, "B", 2)
    airline.conn.execute(
        "update pay.pay_periods set status = 'PROCESSING' where id = %s", (airline.periods[0],)
    )
    assert open_refreshed(airline) == 1, "what is being looked at stays as it is"


def test_a_period_that_cannot_be_computed_is_an_alert(airline: Any) -> None:
    airline.conn.execute(
        "update rules.union_contract_terms set effective_date = '2014-01-01' where enterprise_id = %s",
        (airline.id,),
    )
    assert open_refreshed(airline) == 0
    found = airline.conn.execute(
        "select alert_key, detail ->> 'code' from ops.alerts where enterprise_id = %s and state <> 'CLEARED' order by 1",
        (airline.id,),
    ).fetchall()
    assert found == [("pay-refresh:2013-01-01", "CP213"), ("pay-refresh:2013-01-16", "CP213")]


def test_contract_months_move_quarters(airline: Any) -> None:
    assert marks(airline) == 0
    airline.conn.execute(
        "insert into crew.contract_months (enterprise_id, month, last_day) values (%s, '2012-12-02', '2012-12-31')",
        (airline.id,),
    )
    assert marks(airline) == 2
    compare(airline)


def test_a_declared_fact_that_is_read_elsewhere(airlines: Callable[[], Any]) -> None:
    """5.00 a hold: by one attribute of the flight 0, by the other 2: 10.00 more."""
    fact = {"name": "holds", "level": "leg", "type": "int", "path": "flight.holds"}
    airline = airlines()
    airline.build({
        "crew": {"A": {"rate": 60}}, "facts": [fact], "periods": ["2013-01"],
        "duties": [{"crew": "A", "report": "2013-01-08 08:00", "release": "16:00", "legs": [
            {"leg": "JFK-BOS", "scheduled": "09:00-10:00", "flight": {"holds": 0, "holds_seen": 2}}]}],
    })  # fmt: skip
    airline.load(airline.contract({"terms": {
        "H_1": {"type": "leg_credit", "basis": "actual"}, "H_2": {"type": "pay", "level": "leg", "basis": "holds", "per_unit": 5},
    }}))  # fmt: skip
    airline.run()
    assert airline.totals("A")["total"] == 60
    with airline.acting("admin") as conn:
        conn.execute("select rules.declare_fact(%s)", (Jsonb({**fact, "path": "flight.holds_seen"}),))
    assert open_refreshed(airline) == 1
    assert airline.totals("A")["total"] == 70


# What plans read beside facts is clocks, reference data and functions; what results rest on is marked by pay.mark_later().
MARKED_OTHERWISE = {"pay.pay_calculations", "pay.calculation_versions", "pay.pay_runs"}


def test_every_table_that_a_plan_reads_marks(airline: Any) -> None:
    read = airline.conn.execute(
        r"""select distinct m[1]
           from rules.plans as s
           join pay.pay_periods as p on p.enterprise_id = s.enterprise_id
           cross join lateral pay.fill_tokens(s.statement, pay.plan_tokens(p.enterprise_id, p, null)) as filled
           cross join lateral regexp_matches(filled, '\m([a-z_]+\.[a-z_]+)\M', 'g') as m
           join pg_class as c on c.oid = to_regclass(m[1]) and c.relkind in ('r', 'p')
           where s.enterprise_id = %s""",
        (airline.id,),
    ).fetchall()
    marking = airline.conn.execute("select distinct c.relnamespace::regnamespace || '.' || c.relname from pg_trigger as t join pg_class as c on c.oid = t.tgrelid where t.tgname ~ '_90_dirty_'").fetchall()  # fmt: skip
    found = {table for (table,) in read}
    assert {"crew.flights", "crew.crew_members", "crew.airports"} <= found
    assert found - MARKED_OTHERWISE <= {table for (table,) in marking}
