"""`crewpay pay` and `crewpay demo`, run as people run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from crewpay_sync.database import Target
from crewpay_sync.tenants import ensure_enterprise, ensure_standard_logins

Crewpay = Callable[..., subprocess.CompletedProcess[str]]
MONTH = "2013-01"


@pytest.fixture(scope="module")
def environment(database: Target) -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": database.conninfo, "DIRECT_URL": ""}


@pytest.fixture(scope="module")
def crewpay(environment: dict[str, str]) -> Crewpay:
    def call(*args: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "crewpay_sync", *args],
            env={**environment, **more}, capture_output=True, text=True, check=False, timeout=180,
        )  # fmt: skip

    return call


@pytest.fixture(scope="module")
def demo(crewpay: Crewpay) -> subprocess.CompletedProcess[str]:
    done = crewpay("demo")
    assert done.returncode == 0, done.stderr
    return done


def count(database: Target, statement: str) -> Any:
    with closing(database.connect(autocommit=True)) as conn:
        row = conn.execute(statement).fetchone()  # type: ignore[call-overload]
    assert row is not None
    return row[0]


def test_before_there_is_anything(crewpay: Crewpay) -> None:
    done = crewpay("pay", "run")
    assert done.returncode == 4
    assert done.stderr.startswith("CP920: there is no enterprise yet\nHINT: ")
    assert done.stdout == ""


def test_not_deployed(crewpay: Crewpay, database: Target) -> None:
    done = crewpay("pay", "periods", DATABASE_URL=database.with_(dbname="postgres").conninfo)
    assert done.returncode == 4
    assert "CP905" in done.stderr
    assert "crewpay db deploy" in done.stderr


def test_demo_shows_a_statement_a_table_and_what_to_try(demo: subprocess.CompletedProcess[str]) -> None:
    assert "pay statement 2013-01-01 to 2013-01-31" in demo.stdout
    assert "cancelled leg protected" in demo.stdout
    assert "… " in demo.stdout
    assert "\nposition " in demo.stdout
    assert "crewpay psql --as mq_payroll" in demo.stdout
    assert "Avelo sample: 15 crew" in demo.stderr


def test_demo_finds_the_planted_errors_and_nothing_else(
    demo: subprocess.CompletedProcess[str], crewpay: Crewpay, database: Target
) -> None:
    assert "with 17 planted errors, 17 found, 0 reported beside them" in demo.stdout
    # One more, that nobody planted, is told as such.
    with closing(database.connect(autocommit=True)) as conn:
        conn.execute(
            """update review.parallel_lines l set amount = amount + 5 from crew.crew_members m
               where m.id = l.crew_member_id and m.employee_id = '11041' and l.component = 'per_diem'"""
        )
        again = crewpay("demo")
        conn.execute(
            """update review.parallel_lines l set amount = amount - 5 from crew.crew_members m
               where m.id = l.crew_member_id and m.employee_id = '11041' and l.component = 'per_diem'"""
        )
    assert again.returncode == 1
    assert "17 found, 1 reported beside them" in again.stdout


def test_demo_repeated_changes_nothing_but_runs(
    demo: subprocess.CompletedProcess[str], crewpay: Crewpay, database: Target
) -> None:
    before = count(database, "select count(*) from crew.crew_assignments")
    again = crewpay("demo")
    assert (again.returncode, again.stdout) == (0, demo.stdout)
    assert "here already" in again.stderr
    assert count(database, "select count(*) from crew.crew_assignments") == before


@pytest.mark.usefixtures("demo")
def test_which_enterprise(crewpay: Crewpay) -> None:
    done = crewpay("pay", "explain", "11001", MONTH)
    assert done.returncode == 2
    assert "CP920" in done.stderr
    assert "avelo, mq" in done.stderr
    done = crewpay("pay", "explain", "11001", MONTH, "--enterprise", "nobody")
    assert done.returncode == 4
    assert "CP920: there is no enterprise nobody" in done.stderr


@pytest.mark.usefixtures("demo")
def test_run_reports_and_finds(crewpay: Crewpay, database: Target) -> None:
    done = crewpay("pay", "run", MONTH, "--enterprise", "mq", "--json")
    assert done.returncode == 1  # a diverted flight without arrival can't be paid
    told = json.loads(done.stdout)
    (run,) = told["data"]
    assert (told["status"], told["login"], run["crew"]) == ("findings", "mq_payroll", 267)
    assert run["first_findings"][0]["code"] == "CP111"
    assert run["first_findings"][0]["hint"]
    assert len(run["first_findings"]) <= 10
    total = count(database, "select sum(total_gross_pay) from pay.pay_calculations c"
                            " join pay.pay_periods p on p.id = c.pay_period_id where p.start_date = '2013-01-01'")  # fmt: skip
    assert Decimal(run["amount"]) == total
    text = crewpay("pay", "run", MONTH, "--enterprise", "mq")
    assert text.returncode == 1
    assert "could not be paid" in text.stdout
    assert text.stderr == ""


@pytest.mark.usefixtures("demo")
def test_run_of_some_crew_keeps_the_others(crewpay: Crewpay, database: Target) -> None:
    results = "select count(*) from pay.pay_calculations c join pay.pay_periods p on p.id = c.pay_period_id where p.start_date = '2013-01-01'"
    before = count(database, results)
    done = crewpay(
        "pay", "run", "2013-01-16", "--enterprise", "mq", "--crew", "11001", "--crew", "13001", "--json"
    )
    assert json.loads(done.stdout)["data"][0]["crew"] == 2
    assert count(database, results) == before
    done = crewpay("pay", "run", MONTH, "--enterprise", "mq", "--crew", "nobody")
    assert done.returncode == 4
    assert "CP106: unknown crew member: nobody" in done.stderr


@pytest.mark.usefixtures("demo")
def test_period_of_the_command_line(crewpay: Crewpay) -> None:
    newest = crewpay("pay", "run", "--enterprise", "mq", "--json")
    assert json.loads(newest.stdout)["data"][0]["period"] == "2013-01-01 to 2013-01-31"
    missing = crewpay("pay", "run", "2014-01", "--enterprise", "mq")
    assert missing.returncode == 4
    assert "CP214: there is no pay period in 2014-01" in missing.stderr
    wrong = crewpay("pay", "run", "January", "--enterprise", "mq")
    assert wrong.returncode == 2
    assert "neither a month" in wrong.stderr


@pytest.mark.usefixtures("demo")
def test_a_closed_period_is_refused(crewpay: Crewpay, database: Target) -> None:
    closed = "update pay.pay_periods set status = %s where start_date = '2013-01-01'"
    with closing(database.connect(autocommit=True)) as conn:
        conn.execute(closed, ("CLOSED",))
    try:
        done = crewpay("pay", "run", MONTH, "--enterprise", "mq")
        assert done.returncode == 4
        assert "CP211" in done.stderr
        assert crewpay("pay", "run", "--enterprise", "mq").returncode == 4
        shown = crewpay("demo")
        assert shown.returncode == 0
        assert "the period is CLOSED" in shown.stderr
    finally:
        with closing(database.connect(autocommit=True)) as conn:
            conn.execute(closed, ("OPEN",))


@pytest.mark.usefixtures("demo")
def test_explain_prints_the_statement(crewpay: Crewpay, database: Target) -> None:
    done = crewpay("pay", "explain", "11001", MONTH, "--enterprise", "mq")
    assert done.returncode == 0
    total = count(database, "select total_gross_pay from pay.pay_calculations c join crew.crew_members m"
                            " on m.id = c.crew_member_id where m.employee_id = '11001'")  # fmt: skip
    line = next(line for line in done.stdout.splitlines() if line.startswith("TOTAL"))
    assert line.split()[-1].replace(",", "") == str(total)
    told = json.loads(crewpay("pay", "explain", "11001", MONTH, "--enterprise", "mq", "--json").stdout)
    paid = [Decimal(item["amount"]) for item in told["data"] if item["outcome"] == "paid"]
    assert sum(paid) == total
    for as_json in ((), ("--json",)):
        nobody = crewpay("pay", "explain", "99999", MONTH, "--enterprise", "mq", *as_json)
        assert nobody.returncode == 4
        assert "CP214" in nobody.stderr
        assert "HINT: " in nobody.stderr
        assert nobody.stdout == ""


@pytest.mark.usefixtures("demo")
def test_periods(crewpay: Crewpay) -> None:
    told = json.loads(crewpay("pay", "periods", "--enterprise", "mq", "--json").stdout)
    (period,) = told["data"]
    assert (period["status"], period["crew"], period["start_date"]) == ("OPEN", 267, "2013-01-01")
    assert "2013-01-01" in crewpay("pay", "periods", "--enterprise", "mq").stdout


def test_periods_are_made(crewpay: Crewpay, database: Target) -> None:
    with closing(database.connect(autocommit=True)) as conn:
        ensure_standard_logins(conn, ensure_enterprise(conn, "cycles", "Cycles"), "cycles")

    def made(*args: str) -> list[tuple[str, str, str]]:
        done = crewpay("pay", "periods", "--enterprise", "cycles", "--json", *args)
        assert done.returncode == 0, done.stderr
        return [(p["start_date"], p["end_date"], p["pay_date"]) for p in json.loads(done.stdout)["data"]]

    assert made("--add", "2031-01..2031-02", "--cycle", "half-month") == [
        ("2031-01-01", "2031-01-15", "2031-01-25"), ("2031-01-16", "2031-01-31", "2031-02-10"),
        ("2031-02-01", "2031-02-15", "2031-02-25"), ("2031-02-16", "2031-02-28", "2031-03-10"),
    ]  # fmt: skip
    assert made("--add", "2031-03") == [("2031-03-01", "2031-03-31", "2031-04-10")]
    assert made("--add", "2032-01-05..2032-02-20", "--cycle", "four-week", "--pay-after", "5") == [
        ("2032-01-05", "2032-02-01", "2032-02-06"), ("2032-02-02", "2032-02-29", "2032-03-05"),
    ]  # fmt: skip
    assert made("--starts", "2033-01-01,2033-01-31,2033-03-02") == [
        ("2033-01-01", "2033-01-30", "2033-02-09"), ("2033-01-31", "2033-03-01", "2033-03-11"),
    ]  # fmt: skip
    refused = crewpay("pay", "periods", "--enterprise", "cycles", "--add", "2033-01")
    assert refused.returncode == 4
    assert refused.stderr.startswith("CP112: ")
    assert crewpay("pay", "periods", "--add", "x").returncode == 2
    # A bid month goes by the month whose 15th it holds.
    run = crewpay("pay", "run", "2033-02", "--enterprise", "cycles")
    assert run.stderr.startswith("CP213: "), run.stderr
    assert "2033-01" in run.stderr


@pytest.mark.usefixtures("demo")
def test_a_principal_acts_as_itself(database: Target) -> None:
    """The commands as a captain's own session: the own statement, nobody else's, and no run."""
    from crewpay_sync.cli.chosen import choose_enterprise, rows
    from crewpay_sync.tenants import act_as

    with closing(database.connect(autocommit=True)) as conn:
        conn.execute("set session authorization mq_11001")
        slug = choose_enterprise(conn, None)
        with act_as(conn, slug, "payroll") as login:
            assert (slug, login) == ("mq", "mq_11001")
            assert rows(conn, "statement", {"employee": "11001", "month": "2013-01-01"})
            assert [p["crew"] for p in rows(conn, "periods")] == [1]
            assert rows(conn, "results", {"employee": "11002", "month": "2013-01-01"}) == []
