"""`python -m tests.bench.audit`: what the audit trail costs a write and a pay run, and row-level security a read.

100,000 rows inserted and updated in one statement: bare, with our statement triggers, and with a trigger for each row that
stores the whole row before and after as JSON, with the client's settings, in a table with the trail's columns and indexes,
made here for the comparison. A run of a month with the triggers of results and runs and without. Then the document's three
queries, with row-level security and past it, prepared, each on a connection of its own. In a database of its own on the
configured server, dropped at the end; the variants take turns, best of all rounds.
"""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import psycopg
from psycopg import sql

from crewpay_sync.database import Target, direct_target
from crewpay_sync.deploy import scratch
from crewpay_sync.deploy.source import Tree
from crewpay_sync.importers.synthetic import load_synthetic
from crewpay_sync.measure import percentile
from crewpay_sync.output import json_option, print_json, print_table, report_errors
from tests.bench.__main__ import ENTERPRISE, MONTH, figure, machine

INSERT = """
insert into notify.notifications (enterprise_id, crew_member_id, notification_type, title, message)
select c.enterprise_id, c.id, 'SYSTEM', 'Measured ' || n, 'A message of some length, as people get them: ' || n
from generate_series(1, %(count)s) n
join (select enterprise_id, id, row_number() over () as no, count(*) over () as total from crew.crew_members) c on c.no = n %% c.total + 1
"""
UPDATE = "update notify.notifications set title = title || '!', read_at = now()"
ROW_TRIGGER = """
create table public.whole_rows (like audit.audit_log including defaults including indexes);
create function public.whole_row() returns trigger language plpgsql as $$
begin
  insert into public.whole_rows (enterprise_id, entity_type, entity_id, entity_key, action, actor_id, actor_type, changes, ip_address, user_agent, claimed)
  values (
    new.enterprise_id, 'notify.notifications', new.id, new.id::text, case tg_op when 'INSERT' then 'CREATED' else 'UPDATED' end::audit.audit_action,
    session_user, 'SYSTEM', jsonb_build_object('old', case when tg_op = 'UPDATE' then to_jsonb(old) end, 'new', to_jsonb(new)),
    host(inet_client_addr()), current_setting('application_name', true), jsonb_build_object('user_id', current_setting('app.current_user_id', true)));
  return null;
end $$;
create trigger whole_row after insert or update on notify.notifications for each row execute function public.whole_row();
alter table notify.notifications disable trigger whole_row
"""
OURS = "notifications_90_audit_insert", "notifications_90_audit_update"
VARIANTS: dict[str, tuple[str, ...]] = {"bare": (), "audit": OURS, "row trigger, whole rows": ("whole_row",)}
QUERIES = {
    "pay history": """select pp.start_date, pp.end_date, pc.flight_pay_hours, pc.total_gross_pay, pc.validated_at
        from pay.pay_calculations pc join pay.pay_periods pp on pc.pay_period_id = pp.id
        where pc.crew_member_id = %(crew)s order by pp.start_date desc limit 12""",
    "open discrepancies": """select cm.employee_id, cm.first_name, cm.last_name, d.discrepancy_type, d.difference_amount, d.severity, d.detected_at
        from review.discrepancies d join crew.crew_members cm on d.crew_member_id = cm.id
        where d.resolution_status in ('OPEN', 'INVESTIGATING') order by d.severity desc, d.detected_at asc""",
    "utilization": """select cm.employee_id, cm.position, sum(pc.flight_pay_hours) as total_hours, pc.guarantee_hours
        from pay.pay_calculations pc join crew.crew_members cm on pc.crew_member_id = cm.id
        join pay.pay_periods pp on pc.pay_period_id = pp.id where pp.start_date = %(month)s
        group by cm.employee_id, cm.position, pc.guarantee_hours order by total_hours desc""",
}


def milliseconds(
    conn: psycopg.Connection[Any], statement: str, values: dict[str, Any] | None = None
) -> float:
    started = time.perf_counter()
    cursor = conn.execute(statement, values, prepare=True)  # type: ignore[call-overload]
    if cursor.description:
        cursor.fetchall()
    return (time.perf_counter() - started) * 1000


def writes(conn: psycopg.Connection[Any], count: int, rounds: int) -> dict[tuple[str, str], float]:
    """Best milliseconds of insert and update, by variant."""
    best: dict[tuple[str, str], float] = {}
    conn.execute(ROW_TRIGGER)
    for _ in range(rounds):
        for name, triggers in VARIANTS.items():
            for trigger in (*OURS, "whole_row"):
                state = "enable" if trigger in triggers else "disable"
                conn.execute(f"alter table notify.notifications {state} trigger {trigger}")
            conn.execute("delete from notify.notifications")
            conn.execute("vacuum analyze notify.notifications")
            for what, statement in (("insert", INSERT), ("update", UPDATE)):
                taken = milliseconds(conn, statement, {"count": count} if what == "insert" else None)
                best[what, name] = min(best.get((what, name), float("inf")), taken)
    return best


def runs(conn: psycopg.Connection[Any], rounds: int) -> dict[str, float]:
    """Best milliseconds of a run of the month whose results are there, with the audit triggers of pay and without."""
    best: dict[str, float] = {}
    tables = ("pay.pay_calculations", "pay.pay_runs")
    for _ in range(rounds):
        for name in ("enable", "disable"):
            with conn.transaction(force_rollback=True):
                for table in tables:
                    for what in ("insert", "update", "delete"):
                        trigger = f"{table.split('.')[1]}_90_audit_{what}"
                        conn.execute(f"alter table {table} {name} trigger {trigger}")
                conn.execute(
                    sql.SQL("set local session authorization {}").format(
                        sql.Identifier(f"{ENTERPRISE}_payroll")
                    )
                )
                taken = milliseconds(
                    conn, "select pay.run(auth.enterprise_id(), (select id from pay.pay_periods))"
                )
            best[name] = min(best.get(name, float("inf")), taken)
    return best


def reads(target: Target, crew: Any, repeat: int) -> list[tuple[str, float, float]]:
    """Median milliseconds of each query, by the payroll login and past row-level security."""
    values = {"crew": crew, "month": MONTH}
    found = []
    with (
        closing(target.connect(autocommit=True)) as operator,
        closing(target.connect(autocommit=True)) as payroll,
    ):
        payroll.execute(
            sql.SQL("set session authorization {}").format(sql.Identifier(f"{ENTERPRISE}_payroll"))
        )
        for name, statement in QUERIES.items():
            taken: dict[str, list[float]] = {"payroll": [], "operator": []}
            for _ in range(repeat):
                taken["payroll"].append(milliseconds(payroll, statement, values))
                taken["operator"].append(milliseconds(operator, statement, values))
            found.append((name, percentile(taken["payroll"], 0.5), percentile(taken["operator"], 0.5)))
    return found


def measure(server: Target, tree: Tree, count: int, rounds: int) -> list[dict[str, Any]]:
    with (
        scratch.temporary(server, "bench_audit", tree) as target,
        closing(target.connect(autocommit=True)) as conn,
    ):
        load_synthetic(conn, crew=1000, month=MONTH, months=1, enterprise=ENTERPRISE)
        conn.execute(sql.SQL("set session authorization {}").format(sql.Identifier(f"{ENTERPRISE}_payroll")))
        conn.execute("select pay.run(auth.enterprise_id(), (select id from pay.pay_periods))")
        conn.execute("reset session authorization")
        conn.execute(
            """insert into review.discrepancies (enterprise_id, crew_member_id, pay_period_id, discrepancy_type, expected_amount, actual_amount,
                 difference_amount, severity, detected_by) select c.enterprise_id, c.crew_member_id, c.pay_period_id, 'UNDERPAYMENT',
                 c.total_gross_pay, 0, c.total_gross_pay, 'HIGH', 'SYSTEM_CHECK' from pay.pay_calculations c limit 100"""
        )
        conn.execute("vacuum analyze")
        row = conn.execute("select id from crew.crew_members limit 1").fetchone()
        assert row is not None
        figures = []
        for name, secured, open_ in reads(target, row[0], rounds * 100):
            figures.append(figure(f"{name}, p50 with row-level security", secured, "ms"))
            figures.append(figure(f"{name}, p50 past it", open_, "ms"))
            figures.append(figure(f"{name}: ratio", secured / open_, "×"))
        run = runs(conn, rounds)
        figures.append(figure("run of the month, with the audit trail", run["enable"], "ms", digits=0))
        figures.append(figure("run of the month: ratio to without", run["enable"] / run["disable"], "×"))
        best = writes(conn, count, rounds)
        for (what, name), taken in best.items():
            figures.append(figure(f"{what} of {count:,} rows, {name}", taken, "ms", digits=0))
            if name != "bare":
                figures.append(figure(f"{what}, {name}: ratio to bare", taken / best[what, "bare"], "×"))
        return figures


@click.command()
@click.option("--rows", default=100_000, show_default=True, type=click.IntRange(100), help="Rows written.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 100), help="Rounds.")
@json_option
def main(rows: int, rounds: int, as_json: bool) -> None:
    """Measure audit triggers and row-level security."""
    server = direct_target().with_(dbname="postgres")
    figures = measure(server, Tree(Path(__file__).resolve().parents[2]), rows, rounds)
    if as_json:
        print_json(figures, machine=machine(server))
    else:
        print_table(figures)


if __name__ == "__main__":
    with report_errors():
        main()
