"""The Avelo sample agrees with itself, and has none of the nine errors of the sample data it replaces."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.rows import dict_row

from crewpay_sync.cli import cli
from crewpay_sync.database import Target
from crewpay_sync.importers.avelo import load_avelo, month_after
from crewpay_sync.settings import settings
from crewpay_sync.tenants import act_as

CENT = Decimal("0.01")
PILOTS = ("CAPTAIN", "FIRST_OFFICER")
MINUTE = timedelta(minutes=1)

Connection = psycopg.Connection[Any]
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def last_day(database: Target) -> date:
    """The last day of the server's month: on it, everything of the month has been flown."""
    with closing(database.connect(autocommit=True)) as conn:
        row = conn.execute("select current_date").fetchone()
    assert row
    return month_after(row[0].replace(day=1)) - timedelta(days=1)


@pytest.fixture(scope="module")
def loaded(database: Target, last_day: date) -> Iterator[Connection]:
    """The sample as of the last day of this month."""
    with closing(database.connect(autocommit=True, row_factory=dict_row)) as conn:
        load_avelo(conn, today=last_day)
        yield conn


def cents(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)


def scalar(conn: Connection, statement: str) -> Any:
    row = conn.execute(statement).fetchone()
    assert row is not None
    return next(iter(row.values()))


def rows(conn: Connection, statement: str) -> Rows:
    return conn.execute(statement).fetchall()


def contents(conn: Connection) -> dict[str, Any]:
    """A fingerprint of every table that the sample writes."""
    tables = (
        "platform.enterprises", "platform.users", "auth.principals", "crew.crew_members", "crew.flights", "crew.trips",
        "crew.crew_assignments", "crew.crew_months", "rules.faa_rules", "rules.union_contract_terms",
        "rules.rule_interpretations", "rules.interpretation_faa_rules", "rules.interpretation_contract_terms",
        "rules.rulesets", "graph.generations", "graph.edges", "pay.pay_periods", "pay.pay_runs", "pay.pay_calculations",
        "pay.calculation_versions", "pay.payroll_payments", "review.discrepancies", "review.claims",
        "notify.notifications",
    )  # fmt: skip
    return {
        table: scalar(
            conn, f"select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from {table} t"
        )
        for table in tables
    }


# ---- Pay, computed a second time from the facts ------------------------------------------------------------------------

LEGS = """
select m.employee_id, m.position::text, m.base_hourly_rate as rate, p.start_date, p.end_date, p.contract_month,
  a.trip_id, a.duty_start_time, a.duty_end_time, t.start_at, t.end_at, f.status::text, f.scheduled_departure,
  f.scheduled_arrival, f.actual_departure, f.actual_arrival, f.delay_minutes, f.delay_code, o.time_zone
from crew.crew_assignments a
join crew.crew_members m on m.id = a.crew_member_id
join crew.trips t on t.id = a.trip_id
join crew.flights f on f.id = a.flight_id
join crew.airports o on o.iata = f.origin_airport
join crew.airports b on b.iata = m.base_location
join pay.pay_periods p on (t.start_at at time zone b.time_zone)::date between p.start_date and p.end_date
order by m.employee_id, f.scheduled_departure
"""


def minutes(span: timedelta) -> int:
    return span // MINUTE


def night_minutes(leg: dict[str, Any]) -> int:
    """Minutes of the flown block between 22:00 and 06:00 on the clock of departure, counted one by one."""
    zone = ZoneInfo(leg["time_zone"])
    moment, count = leg["actual_departure"].astimezone(UTC), 0
    while moment < leg["actual_arrival"]:
        count += moment.astimezone(zone).hour in (22, 23, 0, 1, 2, 3, 4, 5)
        moment += MINUTE
    return count


def expected_pay(legs: Rows) -> dict[tuple[str, date], dict[str, Decimal]]:
    """The contract by hand: component amounts and hours by crew member and first day of the period."""
    pay: dict[tuple[str, date], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    credit: dict[tuple[str, date], Decimal] = defaultdict(Decimal)  # minutes
    duties: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    trips = {}
    for leg in legs:
        who, rate = (leg["employee_id"], leg["start_date"]), leg["rate"]
        scheduled = minutes(leg["scheduled_arrival"] - leg["scheduled_departure"])
        flown = leg["status"] == "ARRIVED"
        leg["credit"] = (
            max(scheduled, minutes(leg["actual_arrival"] - leg["actual_departure"])) if flown else scheduled
        )
        credit[who] += leg["credit"]
        pay[who]["flight_pay_amount"] += cents(leg["credit"] * rate / 60)
        if leg["position"] in PILOTS and flown:
            pay[who]["premium_pay_amount"] += cents(night_minutes(leg) * rate / 2 / 60)
            if leg["delay_minutes"] > 30 and leg["delay_code"] in ("MX", "OPS", "CREW"):
                pay[who]["delay_pay_amount"] += cents(leg["delay_minutes"] * rate / 2 / 60)
        duties[leg["employee_id"], leg["duty_start_time"]].append(leg)
        trips[leg["employee_id"], leg["trip_id"]] = leg
    for of_duty in duties.values():
        leg = of_duty[0]
        if leg["position"] in PILOTS:
            rig = Decimal(minutes(leg["duty_end_time"] - leg["duty_start_time"])) / 3 - sum(
                x["credit"] for x in of_duty
            )
            if rig > 0:
                credit[leg["employee_id"], leg["start_date"]] += rig
                pay[leg["employee_id"], leg["start_date"]]["flight_pay_amount"] += cents(
                    rig * leg["rate"] / 60
                )
    for leg in trips.values():
        per_diem = Decimal("2.50") if leg["position"] in PILOTS else Decimal("2.25")
        pay[leg["employee_id"], leg["start_date"]]["per_diem_amount"] += cents(
            minutes(leg["end_at"] - leg["start_at"]) * per_diem / 60
        )
    for who in credit:
        pay[who]["flight_pay_hours"] = cents(credit[who] / 60)
    for employee, month in {(leg["employee_id"], leg["contract_month"]) for leg in legs}:
        member = next(leg for leg in legs if leg["employee_id"] == employee)
        guarantee = Decimal(70 if member["position"] in PILOTS else 75) * 60
        first = credit[employee, month]
        both = first + credit[employee, month.replace(day=16)]
        settled = pay[employee, month.replace(day=16)]
        settled["guarantee_amount"] = cents(max(guarantee - both, Decimal(0)) * member["rate"] / 60)
        over, over_first = max(both - guarantee, Decimal(0)), max(first - guarantee, Decimal(0))
        settled["overtime_hours"] = cents((over - over_first) / 60)
        settled["overtime_amount"] = cents((over - over_first) * member["rate"] / 2 / 60)
    return pay


COMPONENTS = (
    "flight_pay_hours", "flight_pay_amount", "overtime_hours", "overtime_amount", "delay_pay_amount",
    "per_diem_amount", "premium_pay_amount", "guarantee_amount",
)  # fmt: skip


def test_pay_equals_the_contract_computed_by_hand(loaded: Connection) -> None:
    expected = expected_pay(rows(loaded, LEGS))
    paid = rows(
        loaded,
        """select m.employee_id, p.start_date, c.* from pay.pay_calculations c
        join crew.crew_members m on m.id = c.crew_member_id join pay.pay_periods p on p.id = c.pay_period_id""",
    )
    assert len(paid) == 15 * 6
    for result in paid:
        who = result["employee_id"], result["start_date"]
        assert {c: result[c] for c in COMPONENTS} == {c: expected[who][c] for c in COMPONENTS}, who


# ---- The nine errors ---------------------------------------------------------------------------------------------------


def test_1_every_cited_clause_is_in_postgres_and_in_the_graph(loaded: Connection) -> None:
    terms = {r["term_code"] for r in rows(loaded, "select term_code from rules.union_contract_terms")}
    assert "ALPA_Section_13.B" in terms
    approved = rows(loaded, "select * from review.claims where decision = 'APPROVE'")
    assert [re.findall(r"(?:ALPA|AFA)_Section_[\w.]*\w", c["decision_rationale"]) for c in approved] == [
        ["ALPA_Section_13.B"]
    ]
    texts = rows(
        loaded,
        """select decision_rationale as t from review.claims union all select message from notify.notifications
        union all select resolution_notes from review.discrepancies where resolution_notes is not null
        union all select example_calculation::text from rules.rule_interpretations""",
    )
    cited = {code for r in texts for code in re.findall(r"(?:ALPA|AFA)_Section_\d+\.\w", r["t"])}
    linked = {
        r["code"]
        for r in rows(
            loaded,
            """select from_code as code from graph.edges where kind in ('APPLIES_TO', 'CONFLICTS_WITH')
            union select to_code from graph.edges where kind = 'CONFLICTS_WITH'""",
        )
    }
    assert {"ALPA_Section_13.B", "ALPA_Section_12.C", "ALPA_Section_5.A", "AFA_Section_7.B"} <= cited
    assert "ALPA_Section_13.B" in linked
    assert cited | linked <= terms


def test_2_graph_properties_are_primitive(loaded: Connection) -> None:
    edges = rows(loaded, "select properties from graph.edges")
    assert any(edge["properties"] for edge in edges)
    for edge in edges:
        assert not [value for value in edge["properties"].values() if isinstance(value, dict | list)]


def test_3_rules_have_the_titles_and_subjects_of_their_sections(loaded: Connection) -> None:
    rules = {
        r["rule_code"]: r for r in rows(loaded, "select * from rules.faa_rules where expiration_date is null")
    }
    for code, category, word in (
        ("Part117.11", "FLIGHT_TIME", "flight time"),
        ("Part117.13", "FLIGHT_DUTY_PERIOD", "unaugmented"),
        ("Part117.19", "EXTENSIONS", "extension"),
        ("Part117.23", "CUMULATIVE_LIMITS", "cumulative"),
        ("Part117.25", "REST_REQUIREMENTS", "rest"),
    ):
        assert rules[code]["rule_category"] == category
        assert word in rules[code]["rule_title"].lower()
        assert rules[code]["effective_date"] == date(2014, 1, 4)
    assert "672" in rules["Part117.23"]["rule_text"]
    assert "672" not in rules["Part117.11"]["rule_text"] + rules["Part117.13"]["rule_text"]


def test_4_no_duty_period_hours_beside_table_b(loaded: Connection) -> None:
    """The wrong tables of the original were typed into rule texts; here the text names the table and has no hours of its own."""
    text = scalar(loaded, "select rule_text from rules.faa_rules where rule_code = 'Part117.13'")
    assert "Table B" in text
    assert not re.search(r"\d+(\.\d+)?\s*(h\b|hours)", text)
    limits = scalar(loaded, "select rule_text from rules.faa_rules where rule_code = 'Part117.11'")
    assert (
        "8 hours when the member reports from 2000 to 0459, or 9 hours when reporting from 0500 to 1959"
        in limits
    )


def test_5_discrepancies_are_what_the_lines_and_payments_say(loaded: Connection) -> None:
    found = rows(
        loaded,
        """
        select d.discrepancy_type::text as kind, d.expected_amount, d.actual_amount, d.difference_amount,
          (select sum(l.amount)
            from pay.pay_lines l
            left join crew.crew_assignments a on l.level = 'leg' and a.leg_no = l.node
            where l.crew_member_id = d.crew_member_id and l.pay_period_id = d.pay_period_id
              and (d.flight_id is null or a.flight_id = d.flight_id)
              and l.component::text = case d.discrepancy_type
                when 'GUARANTEE_SHORTFALL' then 'guarantee' when 'MISSING_PREMIUM' then 'premium'
                when 'PER_DIEM_ERROR' then 'per_diem' else 'delay_pay' end) as computed
        from review.discrepancies d order by d.severity desc
        """,
    )
    assert [d["kind"] for d in found] == [
        "GUARANTEE_SHORTFALL",
        "MISSING_PREMIUM",
        "PER_DIEM_ERROR",
        "UNDERPAYMENT",
    ]
    for d in found:
        assert d["expected_amount"] == d["computed"] > 0
        assert d["difference_amount"] == d["expected_amount"] - d["actual_amount"] > 0
    # 18:15 of guarantee at $41.00; 27.5 minutes at $98.50.
    assert (found[0]["expected_amount"], found[3]["expected_amount"]) == (Decimal("748.25"), Decimal("45.15"))

    # Paid periods are paid as computed but for the discrepancies that are still open.
    missing = rows(
        loaded,
        """
        select c.total_gross_pay - coalesce(sum(x.amount), 0) as missing
        from pay.pay_calculations c
        join pay.pay_periods p on p.id = c.pay_period_id and p.status = 'PAID'
        left join pay.payroll_payments x on x.crew_member_id = c.crew_member_id and x.pay_period_id = c.pay_period_id
        group by c.id, c.total_gross_pay having c.total_gross_pay <> coalesce(sum(x.amount), 0) order by 1
        """,
    )
    assert [m["missing"] for m in missing] == sorted(d["difference_amount"] for d in found[:3])


def test_5_claims_follow_their_flights(loaded: Connection) -> None:
    claims = rows(
        loaded,
        """
        select c.*, f.flight_number, f.delay_code, f.delay_minutes, f.actual_arrival, p.status::text as period_status,
          (f.scheduled_departure at time zone b.time_zone)::date between p.start_date and p.end_date as in_period,
          exists (select from crew.crew_assignments a where a.flight_id = f.id and a.crew_member_id = c.crew_member_id) as flew
        from review.claims c
        cross join lateral unnest(c.flight_ids) as i
        join crew.flights f on f.id = i::uuid
        join pay.pay_periods p on p.id = c.pay_period_id
        join crew.crew_members m on m.id = c.crew_member_id
        join crew.airports b on b.iata = m.base_location
        order by c.claim_number
        """,
    )
    assert [(c["claim_number"][-4:], c["delay_code"], c["decision"]) for c in claims] == [
        ("0001", "MX", "APPROVE"),
        ("0002", "WX", "DENY"),
    ]
    for claim in claims:
        assert claim["flew"]
        assert claim["in_period"]
        assert claim["actual_arrival"] < claim["submitted_at"] < claim["reviewed_at"] < datetime.now(UTC)
        assert claim["claim_number"] == f"CLM-{claim['submitted_at'].year}-{claim['claim_number'][-4:]}"
    assert claims[0]["approved_amount"] == claims[0]["claimed_amount"] == Decimal("45.15")
    assert claims[0]["payment_date"] > claims[0]["reviewed_at"].date()


def test_5_nobody_flies_a_month_in_half_a_month(loaded: Connection) -> None:
    flown = rows(
        loaded,
        """
        select sum(extract(epoch from f.actual_arrival - f.actual_departure)) / 3600 as hours
        from crew.crew_assignments a
        join crew.flights f on f.id = a.flight_id
        join pay.pay_periods p on f.scheduled_departure::date between p.start_date and p.end_date
        group by a.crew_member_id, p.id
        """,
    )
    assert 30 < max(f["hours"] for f in flown) < 50


def test_6_guarantee_and_overtime_count_over_the_month(loaded: Connection) -> None:
    halves = rows(
        loaded,
        """
        select m.employee_id, c.*, p.start_date = p.contract_month as first_half
        from pay.pay_calculations c
        join crew.crew_members m on m.id = c.crew_member_id
        join pay.pay_periods p on p.id = c.pay_period_id
        """,
    )
    assert {h["guarantee_hours"] for h in halves} == {70, 75}
    assert not any(h["guarantee_amount"] or h["overtime_amount"] for h in halves if h["first_half"])
    settled = {h["employee_id"]: h for h in halves if not h["first_half"]}
    first = {h["employee_id"]: h for h in halves if h["first_half"]}
    for employee, half in settled.items():
        month = half["flight_pay_hours"] + first[employee]["flight_pay_hours"]
        assert abs(half["overtime_hours"] - max(month - half["guarantee_hours"], 0)) <= Decimal("0.02"), (
            employee
        )
        assert (half["guarantee_amount"] > 0) == (month < half["guarantee_hours"]), employee


def test_7_red_eye_is_local_and_for_pilots_everywhere(loaded: Connection) -> None:
    paid = rows(
        loaded,
        """
        select f.flight_number, m.position::text, min(l.quantity) as least, max(l.quantity) as most, count(*)
        from pay.pay_lines l
        join crew.crew_assignments a on l.level = 'leg' and a.leg_no = l.node
        join crew.flights f on f.id = a.flight_id
        join crew.crew_members m on m.id = l.crew_member_id
        where l.component = 'premium' group by 1, 2 order by 1, 2
        """,
    )
    # Two trips in each of three months: XP301 out of Burbank at 22:30, XP302 out of New Haven at 18:55.
    assert [(p["flight_number"], p["position"], p["count"]) for p in paid] == [
        ("XP301", "CAPTAIN", 6), ("XP301", "FIRST_OFFICER", 6), ("XP302", "CAPTAIN", 6), ("XP302", "FIRST_OFFICER", 6),
    ]  # fmt: skip
    assert all(p["least"] > 300 for p in paid[:2])  # wholly inside the window
    assert all(p["most"] < 300 for p in paid[2:])  # only from 22:00 on
    covered = scalar(
        loaded,
        """select array_agg(distinct x::text order by x::text) from graph.edges e
        join rules.union_contract_terms t on t.enterprise_id = e.enterprise_id and t.term_code = e.from_code
        cross join unnest(t.applies_to) x where e.to_code = 'red_eye_flight'""",
    )
    assert "FLIGHT_ATTENDANT" not in covered
    assert "CAPTAIN" in covered


def test_8_a_duty_of_several_legs_is_one_duty(loaded: Connection) -> None:
    assert scalar(
        loaded,
        """select count(*) from (
          select 1 from crew.crew_assignments group by crew_member_id, duty_start_time having count(*) = 4) d""",
    ) == 3 * (9 + 7 + 2 + 9 + 7 + 8)
    # Every trip starts and ends at base, and pays one per diem; rigs are one a duty.
    assert not rows(
        loaded,
        """
        select t.trip_number
        from crew.trips t
        join crew.crew_assignments a on a.trip_id = t.id
        join crew.flights f on f.id = a.flight_id
        join crew.crew_members m on m.id = t.crew_member_id
        group by t.id, t.trip_number, t.base_location, m.base_location
        having (array_agg(f.origin_airport order by f.scheduled_departure))[1] <> t.base_location
          or (array_agg(f.destination_airport order by f.scheduled_departure desc))[1] <> t.base_location
          or t.base_location <> m.base_location
        """,
    )
    assert scalar(loaded, "select count(*) from pay.pay_lines where component = 'per_diem'") == scalar(
        loaded, "select count(*) from crew.trips"
    )
    rigs = rows(
        loaded,
        """
        select count(distinct (l.crew_member_id, l.node)) as duties, count(*) as lines, min(l.quantity) as least
        from pay.pay_lines l where l.term_code = 'ALPA_Section_6.E'
        """,
    )[0]
    # XP403 and XP404 with a long sit, twice a month, captain and first officer.
    assert (rigs["duties"], rigs["lines"]) == (12, 12)
    assert rigs["least"] > 50


def test_9_pay_does_not_depend_on_the_day_it_is_computed(loaded: Connection) -> None:
    plans = rows(loaded, "select statement from rules.plans")
    assert len(plans) >= 18
    for plan in plans:
        assert not re.search(
            r"\b(now|clock_timestamp|statement_timestamp)\(|current_(date|timestamp)", plan["statement"]
        )
    # The three months are alike, and so is what they pay.
    totals = rows(
        loaded,
        """
        select array_agg(c.total_gross_pay order by m.employee_id) as pay
        from pay.pay_calculations c
        join pay.pay_periods p on p.id = c.pay_period_id
        join crew.crew_members m on m.id = c.crew_member_id
        group by p.id, p.start_date order by extract(day from p.start_date), p.start_date
        """,
    )
    assert totals[0] == totals[1] == totals[2]
    assert totals[3] == totals[4] == totals[5]
    assert totals[0] != totals[3]


# ---- The rest of the sample --------------------------------------------------------------------------------------------


def test_crew_and_fleet_are_those_of_the_document(loaded: Connection) -> None:
    crew = rows(
        loaded,
        "select employee_id, position::text, base_location from crew.crew_members order by employee_id",
    )
    assert [c["employee_id"] for c in crew] == [
        *(f"XP{n:03}" for n in range(1, 4)), *(f"XP{n}" for n in range(101, 105)), *(f"XP{n}" for n in range(201, 209)),
    ]  # fmt: skip
    assert [c["position"] for c in crew] == ["CAPTAIN"] * 3 + ["FIRST_OFFICER"] * 4 + ["FLIGHT_ATTENDANT"] * 8
    assert {c["base_location"] for c in crew} == {"BUR", "IFP", "HVN"}
    fleet = rows(loaded, "select distinct aircraft_type, aircraft_registration from crew.flights order by 2")
    assert fleet == [{"aircraft_type": "737-800", "aircraft_registration": f"N80{n}AV"} for n in range(1, 5)]


def test_contract_has_the_documents_clauses_and_no_rates(loaded: Connection) -> None:
    terms = {r["term_code"]: r for r in rows(loaded, "select * from rules.union_contract_terms")}
    assert {t["effective_date"] for t in terms.values()} == {date(2023, 1, 1)}
    formulas = {code: t["calculation_formula"] for code, t in terms.items()}
    assert formulas["ALPA_Section_5.A"] == {
        "type": "monthly_guarantee",
        "hours": 70,
        "proration": "calendar_days",
    }
    assert formulas["AFA_Section_7.B"]["hours"] == 75
    assert formulas["ALPA_Section_12.C"]["window"]["from"] == "22:00"
    assert formulas["ALPA_Section_6.E"]["ratio"] == 3
    assert (formulas["ALPA_Section_8.D"]["rate"], formulas["AFA_Section_9.A"]["rate"]) == (2.5, 2.25)
    assert (
        formulas["ALPA_Section_10.A"]["threshold_hours"],
        formulas["ALPA_Section_10.A"]["multiplier"],
    ) == (70, 1.5)
    assert formulas["ALPA_Section_13.B"]["codes"] == ["MX", "OPS", "CREW"]
    assert "hourly_rate" not in {f["type"] for f in formulas.values()}


def test_aircraft_and_people_are_in_one_place_at_a_time(loaded: Connection) -> None:
    for key, source in (
        ("f.aircraft_registration", "crew.flights f"),
        ("a.crew_member_id", "crew.crew_assignments a join crew.flights f on f.id = a.flight_id"),
    ):
        assert not rows(
            loaded,
            f"""
            select * from (
              select f.flight_number, f.scheduled_departure, f.origin_airport, f.actual_departure,
                lag(f.actual_arrival) over w as arrived, lag(f.destination_airport) over w as at
              from {source} where f.status = 'ARRIVED'
              window w as (partition by {key} order by f.scheduled_departure)) x
            where actual_departure < arrived
            """,
        )


def test_examples_of_interpretations_hold(loaded: Connection) -> None:
    with loaded.transaction(), act_as(loaded, "avelo", "admin"):
        checked = rows(loaded, "select * from rules.verify_interpretations()")
    assert [(c["interpretation_code"], c["holds"], c["is_guidance"]) for c in checked] == [
        ("delayed-red-eye", True, True),
        ("long-sit", True, True),
        ("reserve-month", True, True),
    ], [c["detail"] for c in checked]
    found = rows(loaded, "select * from rules.rule_interpretations")
    # The red-eye of the first example is flown every month: the engine pays what the example says.
    example = next(g for g in found if "red-eye" in g["scenario_description"])["example_calculation"]
    paid = rows(
        loaded,
        """
        select l.term_code, l.amount
        from pay.pay_lines l
        join crew.crew_assignments a on l.level = 'leg' and a.leg_no = l.node
        join crew.flights f on f.id = a.flight_id
        join crew.crew_members m on m.id = l.crew_member_id
        where m.employee_id = 'XP001' and f.flight_number = 'XP302' and f.delay_code = 'OPS'
          and l.pay_period_id = (select id from pay.pay_periods order by start_date limit 1 offset 1)
        """,
    )
    assert {p["term_code"]: float(p["amount"]) for p in paid} == {
        x["term"]: x["amount"] for x in example["lines"]
    }


def test_arrays_of_interpretations_agree_with_junction_tables(loaded: Connection) -> None:
    found = rows(
        loaded,
        """
        select i.applicable_faa_rule_ids as rules, i.applicable_contract_term_ids as terms,
          array(select faa_rule_id from rules.interpretation_faa_rules j where j.interpretation_id = i.id) as linked_rules,
          array(select contract_term_id from rules.interpretation_contract_terms j where j.interpretation_id = i.id) as linked_terms
        from rules.rule_interpretations i
        """,
    )
    for i in found:
        assert sorted(i["rules"]) == sorted(i["linked_rules"])
        assert sorted(i["terms"]) == sorted(i["linked_terms"])
    assert all(i["rules"] and i["terms"] for i in found)


def test_notifications_lead_somewhere(loaded: Connection) -> None:
    found = rows(
        loaded,
        """
        select n.related_entity_type, n.sent_at, n.crew_member_id = coalesce(c.crew_member_id, d.crew_member_id) as own,
          coalesce(c.reviewed_at, d.detected_at) as since
        from notify.notifications n
        left join review.claims c on n.related_entity_type = 'claim' and c.id = n.related_entity_id
        left join review.discrepancies d on n.related_entity_type = 'discrepancy' and d.id = n.related_entity_id
        """,
    )
    assert sorted(n["related_entity_type"] for n in found) == ["claim", "claim", "discrepancy"]
    assert all(n["own"] and n["sent_at"] > n["since"] for n in found)


def test_periods_are_closed_as_time_goes_by(loaded: Connection, last_day: date) -> None:
    periods = rows(
        loaded,
        """
        select p.*, (select count(*) from pay.pay_calculations c where c.pay_period_id = p.id) as results,
          (select count(*) from pay.pay_calculations c where c.pay_period_id = p.id and c.validated_by = 'avelo_admin') as validated
        from pay.pay_periods p order by p.start_date
        """,
    )
    assert [p["status"] for p in periods] == ["PAID", "PAID", "PAID", "PAID", "CLOSED", "OPEN"]
    assert [p["results"] for p in periods] == [15] * 6
    assert [p["validated"] for p in periods] == [15] * 5 + [0]
    assert periods[-1]["end_date"] == last_day
    assert scalar(loaded, "select sum(finding_count) from pay.pay_runs") == 0
    assert scalar(loaded, "select array_agg(distinct requested_by) from pay.pay_runs") == ["avelo_payroll"]


def test_a_second_load_changes_nothing(loaded: Connection, last_day: date) -> None:
    before = contents(loaded)
    again = load_avelo(loaded, today=last_day)
    assert (again.added, again.runs) == (0, 0)
    assert contents(loaded) == before


@pytest.fixture
def other(server: Target, template: str, database: Target, tree: Any) -> Iterator[Target]:
    """Another deployed database."""
    from crewpay_sync.deploy import scratch

    name = scratch.own_name(tree, "avelo_other")
    yield scratch.clone(server, template, name, tree)
    scratch.drop(server, name)


def test_loads_of_different_days_add_up(other: Target, loaded: Connection, last_day: date) -> None:
    """From the first day of a month, which has no flights yet, by way of its middle to its last day."""
    statuses = []
    with closing(other.connect(autocommit=True, row_factory=dict_row)) as conn:
        for day in (last_day.replace(day=1), last_day.replace(day=16), last_day):
            load_avelo(conn, today=day)
            statuses.append(
                scalar(conn, "select string_agg(status::text, ' ' order by start_date) from pay.pay_periods")
            )
        for statement in (
            "select sum(total_gross_pay), count(*) from pay.pay_calculations",
            "select count(*), sum(delay_minutes) from crew.flights",
            "select sum(amount), count(*) from pay.payroll_payments",
            "select sum(difference_amount), count(*) from review.discrepancies",
        ):
            assert rows(conn, statement) == rows(loaded, statement)
    assert statuses == [
        "PAID PAID PAID CLOSED OPEN",
        "PAID PAID PAID PAID CLOSED OPEN",
        "PAID PAID PAID PAID CLOSED OPEN",
    ]


def test_command_loads_as_of_today(other: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIRECT_URL", other.conninfo)
    settings.cache_clear()  # read once: by now they name the server of the tests
    result = CliRunner().invoke(cli, ["import", "avelo", "--json"], catch_exceptions=False)
    settings.cache_clear()
    assert result.exit_code == 0
    assert (
        '"logins": ["avelo_admin", "avelo_payroll", "avelo_bi", "avelo_agent", "avelo_xp001", "avelo_xp201"]'
        in result.stdout
    )
    assert '"crew": 15' in result.stdout
