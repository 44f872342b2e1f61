"""`python -m tests.bench.review`: detection and claims beside what was promised.

Detection of a month whose pay is recorded and paid, against stored results and with everything recomputed, as shares of a
run of the same month in the same session, the three taking turns; once without an error, once with payments of 1 % of the
crew wrong. Claims: all submitted ones reviewed at once, dossiers one by one, fifty submissions at once. Last the worst
month: a payroll that pays leg by leg, all of it at a wrong rate, of a tenth of the crew and of all of them, which takes ten
times as long where nothing grows faster than the month. In a database of its own on the configured server, dropped at the
end; best of all rounds, percentiles over all calls.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from crewpay_sync.database import Target, direct_target
from crewpay_sync.deploy.source import Tree
from crewpay_sync.importers.contract import sample_contract
from crewpay_sync.measure import percentile
from crewpay_sync.output import json_option, print_json, print_table, report_errors
from tests.bench.__main__ import ENTERPRISE, figure, loaded, machine

STORED, RECOMPUTED, DOSSIER_MS, CLAIMS_PER_SECOND, AT_ONCE = 3.0, 60.0, 50.0, 500, 50

PAY = """
insert into pay.payroll_payments (enterprise_id, crew_member_id, pay_period_id, component, amount, paid_on, reference)
select c.enterprise_id, c.crew_member_id, c.pay_period_id, x.component, x.amount, current_date, concat_ws('-', c.crew_member_id, x.component)
from pay.pay_calculations c
cross join lateral (values
  ('flight_pay'::pay.component, c.flight_pay_amount), ('overtime', c.overtime_amount), ('per_diem', c.per_diem_amount),
  ('premium', c.premium_pay_amount), ('delay_pay', c.delay_pay_amount), ('guarantee', c.guarantee_amount)) x (component, amount)
where x.amount <> 0
"""
SPOIL = "update pay.payroll_payments set amount = amount - 7.31 where component = 'per_diem' and crew_member_id in (select id from crew.crew_members order by employee_id limit %s)"
LEGS_OF = """
insert into pay.payroll_payments (enterprise_id, crew_member_id, pay_period_id, component, flight_id, quantity, amount, paid_on, reference)
select p.enterprise_id, l.crew_member_id, p.id, l.component, l.flight_id, round(l.quantity / 60, 4), round(l.amount * 1.03, 2), current_date,
  concat_ws('-', 'leg', row_number() over ())
from pay.pay_periods p
cross join lateral review.result_lines(p.enterprise_id, p.id, null, array(select id from crew.crew_members order by employee_id limit %s)) l
where l.amount <> 0
"""
UNPAY = "delete from pay.payroll_payments where crew_member_id in (select id from crew.crew_members order by employee_id limit %s)"
CLAIM = """
insert into review.claims (enterprise_id, claim_number, crew_member_id, pay_period_id, claim_type, component, description, claimed_amount, submitted_by, answer_due)
select m.enterprise_id, 'CLM-2001-' || lpad(row_number() over (order by m.employee_id)::text, 5, '0'), m.id, p.id, 'PER_DIEM', 'per_diem', 'Measured', 7.31,
  m.employee_id, current_date
from (select * from crew.crew_members order by employee_id limit %s) m cross join pay.pay_periods p
"""
RUN = "select pay.run(auth.enterprise_id(), (select id from pay.pay_periods))"
DETECT = (
    "select (review.detect(auth.enterprise_id(), (select id from pay.pay_periods), null, {})).found_count"
)


def timed(conn: psycopg.Connection[Any], statement: str, *, keep: bool = False) -> tuple[float, Any]:
    """Seconds and the first value of a statement, undone unless it is to stay."""
    with conn.transaction(force_rollback=not keep), conn.cursor(row_factory=tuple_row) as cursor:
        started = time.perf_counter()
        row = cursor.execute(statement).fetchone()  # type: ignore[call-overload]
        return time.perf_counter() - started, row and row[0]


def detection(conn: psycopg.Connection[Any], rounds: int, label: str) -> list[dict[str, Any]]:
    """Both kinds of detection as shares of a run."""
    best: dict[str, float] = {}
    found: dict[str, Any] = {}
    for _ in range(rounds + 1):
        for name, statement in (("run", RUN), ("stored", DETECT.format("false")), ("recomputed", DETECT.format("true"))):  # fmt: skip
            seconds, found[name] = timed(conn, statement)
            best[name] = min(best.get(name, float("inf")), seconds)
    return [
        figure(f"{label}: run of the month", best["run"], "s"),
        figure(f"{label}: detection against stored pay, {found['stored']} findings", best["stored"] * 1000, "ms", digits=0),
        figure(f"{label}: share of the run", best["stored"] / best["run"] * 100, "%", STORED, 1),
        figure(f"{label}: detection with recomputation, {found['recomputed']} findings", best["recomputed"], "s"),
        figure(f"{label}: share of the run", best["recomputed"] / best["run"] * 100, "%", RECOMPUTED, 0),
    ]  # fmt: skip


def all_wrong(
    conn: psycopg.Connection[Any], operator: psycopg.Connection[Any], crew: int
) -> list[dict[str, Any]]:
    """Every leg of a tenth of the crew, then of all, paid 3 % too high: seconds to find it."""
    seconds, found = {}, {}
    for share in (10, 1):
        with operator.transaction():
            operator.execute(UNPAY, (crew // share,))
            operator.execute(LEGS_OF, (crew // share,))
        operator.execute("vacuum analyze")
        seconds[share], found[share] = timed(conn, DETECT.format("false"))
    return [
        figure(f"{crew // share:,} crew, every leg paid wrong: detection, {found[share]} findings", seconds[share], "s", digits=1)
        for share in (10, 1)
    ]  # fmt: skip


def dossiers(conn: psycopg.Connection[Any], calls: int) -> list[float]:
    """Milliseconds of each call, claim after claim."""
    with conn.cursor(row_factory=tuple_row) as cursor:
        keys = [row[0] for row in cursor.execute("select id from review.claims order by claim_number limit %s", (calls,))]  # fmt: skip
        taken = []
        for key in keys:
            started = time.perf_counter()
            cursor.execute("select review.dossier(%s)", (key,)).fetchone()
            taken.append((time.perf_counter() - started) * 1000)
    return taken


def at_once(target: Target, operator: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """Fifty crew members submit at once; the numbers that came out follow each other."""
    with operator.cursor(row_factory=tuple_row) as cursor:
        crew = cursor.execute(
            "select id, enterprise_id, employee_id from crew.crew_members order by employee_id desc limit %s", (AT_ONCE,)
        ).fetchall()  # fmt: skip
        ((period,),) = cursor.execute("select id from pay.pay_periods").fetchall()
    errors: list[psycopg.Error] = []
    taken: list[float] = []
    ready = threading.Barrier(AT_ONCE)

    def submit(employee: str) -> None:
        try:
            with closing(target.connect(autocommit=True)) as conn:
                conn.execute(sql.SQL("set session authorization {}").format(sql.Identifier(f"{ENTERPRISE}_payroll")))  # fmt: skip
                ready.wait(60)
                started = time.perf_counter()
                conn.execute(
                    "select review.submit_claim(%s, 'OTHER', 1, 'All at once', p_key => 'one', p_employee => %s)",
                    (period, employee),
                )
                taken.append((time.perf_counter() - started) * 1000)
        except psycopg.Error as error:
            errors.append(error)

    threads = [threading.Thread(target=submit, args=(row[2],)) for row in crew]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with operator.cursor(row_factory=tuple_row) as cursor:
        numbers = [
            int(row[0][9:]) for row in cursor.execute("select claim_number from review.claims where claim_number !~ '^CLM-2001-' order by 1")
        ]  # fmt: skip
    gaps = AT_ONCE - len(set(numbers) & set(range(1, AT_ONCE + 1)))
    return [
        figure(f"{AT_ONCE} submissions at once: errors", len(errors), "", 0, 0),
        figure(f"{AT_ONCE} submissions at once: numbers left out or given twice", gaps, "", 0, 0),
        figure(f"{AT_ONCE} submissions at once: the slowest", max(taken, default=0.0), "ms", digits=0),
    ]


def measure(server: Target, tree: Tree, crew: int, claims: int, rounds: int) -> list[dict[str, Any]]:
    with loaded(server, tree, crew, 1, sample_contract()) as db:
        timed(db.conn, RUN, keep=True)
        with closing(db.target.connect(autocommit=True)) as operator:
            operator.execute(PAY)
            operator.execute("update pay.pay_periods set pay_date = current_date - 1")
            operator.execute("vacuum analyze")
            figures = detection(db.conn, rounds, f"{crew:,} crew, all right")
            operator.execute(SPOIL, (max(1, crew // 100),))
            figures += detection(db.conn, rounds, f"{crew:,} crew, 1 % paid wrong")
            operator.execute(SPOIL, (claims,))
            operator.execute(CLAIM, (claims,))
            operator.execute("vacuum analyze")
            seconds, _ = timed(db.conn, "select review.run_claims()", keep=True)
            per_second = claims / seconds
            figures += [
                figure(f"{claims:,} claims reviewed at once", seconds, "s"),
                {**figure("claims reviewed a second", per_second, "", digits=0), "promise": f"≥ {CLAIMS_PER_SECOND}",
                 "holds": "yes" if per_second >= CLAIMS_PER_SECOND else "NO"},
            ]  # fmt: skip
            operator.execute("vacuum analyze")
            taken = dossiers(db.conn, min(claims, 1000))
            figures += [
                figure("dossier, p50", percentile(taken, 0.5), "ms"),
                figure("dossier, p99", percentile(taken, 0.99), "ms", DOSSIER_MS),
            ]
            operator.execute("update platform.system_configs set value = value || '{\"claim_days\": 3650}' where key = 'review.claims'")  # fmt: skip
            figures += at_once(db.target, operator)
            operator.execute("truncate review.claims cascade")
            figures += all_wrong(db.conn, operator, crew)
        return figures


@click.command()
@click.option("--crew", default=10_000, show_default=True, type=click.IntRange(100), help="Crew members.")
@click.option("--claims", default=2_000, show_default=True, type=click.IntRange(1), help="Claims.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 100), help="Rounds.")
@json_option
def main(crew: int, claims: int, rounds: int, as_json: bool) -> None:
    """Measure detection and claims."""
    server = direct_target().with_(dbname="postgres")
    figures = measure(server, Tree(Path(__file__).resolve().parents[2]), crew, min(claims, crew), rounds)
    if as_json:
        print_json(figures, machine=machine(server))
    else:
        print_table(figures)


if __name__ == "__main__":
    with report_errors():
        main()
