"""Whole contracts with worked cases (contracts/*/): every case of a contract is paid by the one contract, loaded once."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from crewpay_sync.importers.contract import read_contract
from tests.golden.test_golden import check_pay, check_statement

FOLDER = Path(__file__).parent / "contracts"
CASES: dict[str, dict[str, Any]] = {
    path.parent.name: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted(FOLDER.glob("*/cases.yaml"))
}
# What a case holds, besides the rows of an airline: no terms, they are the contract's.
KEYS = {"title", "source", "arithmetic", "crew", "trips", "duties", "periods", "expect", "findings"}


def periods(case: dict[str, Any]) -> list[Any]:
    """The periods of a case: months, or pairs of days."""
    return [p if isinstance(p, str) else tuple(map(str, p)) for p in case.get("periods", ["2013-01"])]


def all_periods(contract: str) -> list[Any]:
    """The periods of all cases of a contract, in order."""
    return sorted(
        {period for case in CASES[contract]["cases"].values() for period in periods(case)},
        key=lambda period: period if isinstance(period, str) else period[0],
    )


def crew_name(contract: str, case: str, crew: str) -> str:
    """The crew of a case as the airline knows them: "3.A" is A of the third case."""
    return f"{list(CASES[contract]['cases']).index(case) + 1}.{crew}"


class Paid:
    """The airline of one contract, with the crew of all cases, after a run of every period."""

    def __init__(self, airline: Any, contract: str) -> None:
        self.airline = airline
        rows: dict[str, Any] = {
            "crew": {},
            "trips": [],
            "duties": [],
            "periods": all_periods(contract),
            "facts": CASES[contract].get("facts", []),
        }
        for case, given in CASES[contract]["cases"].items():
            for crew, member in given["crew"].items():
                rows["crew"][crew_name(contract, case, crew)] = member
            for part in ("trips", "duties"):
                rows[part] += [
                    {**row, "crew": crew_name(contract, case, row["crew"])} for row in given.get(part, [])
                ]
        airline.build(rows)
        airline.load(read_contract(FOLDER / contract / "contract.yaml"))
        self.runs = [airline.run(n + 1) for n in range(len(airline.periods))]
        self.findings = [list(f) for run in self.runs for f in airline.findings(run["id"])]


@pytest.fixture(scope="module")
def paid(airlines: Callable[[], Any]) -> Callable[[str], Paid]:
    """The airline of a contract, made on first use."""
    made: dict[str, Paid] = {}

    def get(contract: str) -> Paid:
        if contract not in made:
            made[contract] = Paid(airlines(), contract)
        return made[contract]

    return get


@pytest.mark.parametrize(
    ("contract", "case"),
    [(contract, case) for contract, given in CASES.items() for case in given["cases"]],
    ids=lambda value: value,
)
def test_contract(contract: str, case: str, paid: Callable[[str], Paid]) -> None:
    given = CASES[contract]["cases"][case]
    assert set(given) <= KEYS, "a case has no terms of its own"
    assert given["title"], "what it shows"
    assert given["source"], "where the rule is written"
    assert given["arithmetic"], "the arithmetic"
    made = paid(contract)
    for crew, expected in given["expect"].items():
        name = crew_name(contract, case, crew)
        wanted = expected if isinstance(expected, list) else [expected]
        for paid_in, want in zip(periods(given), wanted, strict=True):
            if want is None:
                continue
            period = all_periods(contract).index(paid_in) + 1
            check_pay(made.airline, name, period, want)
            check_statement(made.airline, name, period)
    names = {crew_name(contract, case, crew): crew for crew in given["crew"]}
    assert [
        [code, names[crew], level, term] for code, crew, level, term in made.findings if crew in names
    ] == (given.get("findings", []))


def test_every_contract_is_written_differently_and_has_its_cases() -> None:
    """Each contract has cases, and no two are built of the same kinds of terms."""
    forms = {}
    for contract in CASES:
        terms = read_contract(FOLDER / contract / "contract.yaml")["terms"]
        forms[contract] = tuple(
            sorted({(t["formula"]["type"], t["formula"].get("level")) for t in terms}, key=str)
        )
    assert len(set(forms.values())) == len(forms) >= 8
    assert {path.parent.name for path in FOLDER.glob("*/contract.yaml")} == set(CASES)
    assert sum(len(given["cases"]) for given in CASES.values()) >= 60


def test_the_table_of_contracts_counts_their_cases() -> None:
    """The README has a row for each contract, with the number of its cases."""
    table = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\w+)\].* \| (\d+) \|$", table, re.MULTILINE)
    assert rows == [(contract, str(len(given["cases"]))) for contract, given in CASES.items()]
