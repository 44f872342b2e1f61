"""Worked pay cases: what a contract clause pays, to the cent, by arithmetic that was done by hand (cases/*.yaml)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

CASES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
COMPONENTS = ("flight_pay", "overtime", "delay_pay", "per_diem", "premium", "guarantee")


def read(path: Path) -> dict[str, Any]:
    # Every scalar but whole numbers and true/false stays text: 41.30 is not a float.
    case: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return case


def quantity(value: Any) -> Decimal:
    if isinstance(value, str) and ":" in value:
        hours, rest = value.split(":")
        return (Decimal(hours) * 60 + Decimal(rest)).normalize()
    return Decimal(str(value)).normalize()


def check_pay(airline: Any, crew: str, period: int, want: dict[str, Any]) -> None:
    """The lines and totals of a crew member in the n-th period are those of the case."""
    lines = airline.lines(crew, period)
    wanted = sorted(
        (level, code, label, quantity(number), Decimal(str(amount)).quantize(Decimal("0.01")))
        for level, code, label, number, amount in want["lines"]
    )
    got = [
        (level, code, label, number.quantize(Decimal("0.000001")), amount)
        for level, code, label, number, amount in lines
    ]
    rounded = [
        (level, code, label, number.quantize(Decimal("0.000001")), amount)
        for level, code, label, number, amount in wanted
    ]
    assert got == rounded, f"lines of {crew} in period {period}"

    totals = airline.totals(crew, period)
    assert sum(line[4] for line in lines) == totals["total"], "Σ lines = total"
    for column in (*COMPONENTS, "total"):
        assert totals[column] == Decimal(str(want["totals"].get(column, 0))), (
            f"{column} of {crew} in period {period}"
        )
    for column in ("flight_pay_hours", "overtime_hours", "guarantee_hours"):
        if column in want["totals"]:
            assert totals[column] == Decimal(str(want["totals"][column])), (
                f"{column} of {crew} in period {period}"
            )


def explained(airline: Any, crew: str, period: int) -> list[tuple[Any, ...]]:
    """The statement's lines, which another form of the plan recomputes from the facts as of the run."""
    with airline.acting("payroll") as conn:
        return sorted(
            conn.execute(
                "select level, term_code, quantity, amount from pay.explain(%s, %s) where outcome = 'paid'",
                (airline.crew[crew], airline.periods[period - 1]),
            ).fetchall()
        )


def check_statement(airline: Any, crew: str, period: int) -> None:
    """The statement is what was stored."""
    stored = sorted(
        (level, term, number, amount) for level, term, _, number, amount in airline.lines(crew, period)
    )
    assert explained(airline, crew, period) == stored, f"the statement of {crew} is what was paid"


def check_reasons(airline: Any, crew: str, period: int, want: list[list[str]]) -> None:
    """What the statement says of the rule graph: where a clause applies, which goes first, and where one gave way."""
    with airline.acting("payroll") as conn:
        told = conn.execute(
            "select level, term_code, arithmetic from pay.explain(%s, %s) where outcome in ('reason', 'overruled')",
            (airline.crew[crew], airline.periods[period - 1]),
        ).fetchall()
    assert sorted(map(list, told)) == sorted(want), f"what the rule graph says of {crew}"


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path, airlines: Callable[[], Any]) -> None:
    case = read(path)
    assert case["title"], "what it shows"
    assert case["source"], "where the rule is written"
    assert case["arithmetic"], "the arithmetic"
    check_case(airlines(), case)


@pytest.mark.parametrize(
    ("name", "word"), [("advance", "U_4.A"), ("rates_by_aircraft", "B737"), ("rates_by_aircraft", "R_4")]
)
def test_words_of_data_are_no_tokens(airlines: Callable[[], Any], name: str, word: str) -> None:
    """Codes may hold what stands for something else in a plan."""
    text = next(path for path in CASES if path.stem == name).read_text(encoding="utf-8")
    case = yaml.safe_load(text.replace(word, f"{word}@is_last@"))
    assert f"{word}@is_last@" in str(case["terms"])
    check_case(airlines(), case)


def check_case(airline: Any, case: dict[str, Any]) -> None:
    airline.build(case)
    airline.load(airline.contract(case))
    runs = []
    for n in range(len(airline.periods)):
        runs.append(airline.run(n + 1))
        for late in case.get("late", []):
            if late["after"] == n + 1:
                airline.depart(late["crew"], late["leg"], late["actual"])

    for crew, expected in case["expect"].items():
        for period, want in enumerate(expected if isinstance(expected, list) else [expected], start=1):
            if want is not None:
                check_pay(airline, crew, period, want)
                check_statement(airline, crew, period)
                if "reasons" in want:
                    check_reasons(airline, crew, period, want["reasons"])

    found = [list(f) for run in runs for f in airline.findings(run["id"])]
    assert found == case.get("findings", [])
    assert [run["total_amount"] for run in runs] == [
        sum((airline.totals(c, n)["total"] for c in airline.crew if employed(airline, c, n)), Decimal(0))
        for n in range(1, len(runs) + 1)
    ]


def employed(airline: Any, crew: str, period: int) -> bool:
    return bool(
        airline.conn.execute(
            "select exists (select from pay.pay_calculations where crew_member_id = %s and pay_period_id = %s)",
            (airline.crew[crew], airline.periods[period - 1]),
        ).fetchone()[0]
    )
