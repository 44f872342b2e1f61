"""Every line of the catalogue is paid by some worked case: each type with each of its parameters, each fact read at its own level."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parent

# What no pay line shows is tested where it shows.
ELSEWHERE = {
    ("settings", "version_on"),  # test_versions.py
    ("settings", "claim_days"),  # these five: tests/integration/test_claims.py
    ("settings", "claim_answer_days"),
    ("settings", "claim_appeal_days"),
    ("settings", "claim_payment_days"),
    ("settings", "claim_late_penalty"),
}


def formulas() -> Iterator[dict[str, Any]]:
    paths = [*HERE.glob("cases/*.yaml"), *HERE.glob("contracts/*/contract.yaml")]
    for document in (yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths):
        terms = document["terms"]
        for term in terms.values() if isinstance(terms, dict) else terms:
            yield term.get("formula", term)
        for scenario in document.get("scenarios", []):
            if isinstance(scenario, dict):  # else the name of one that comes with the graph
                yield {"level": scenario["level"], "type": "scenario", "when": scenario["pattern"]}


def names(logic: Any) -> Iterator[str]:
    """Names that a formula reads."""
    if isinstance(logic, list):
        for item in logic:
            yield from names(item)
    elif isinstance(logic, dict):
        for key, value in logic.items():
            if key == "var":
                yield value[0] if isinstance(value, list) else value
            elif key == "basis":
                yield value
            else:
                yield from names(value)


@pytest.fixture(scope="module")
def conn(airlines: Callable[[], Any]) -> Any:
    return airlines().conn


def test_every_parameter_of_every_type(conn: Any) -> None:
    paid = {(formula["type"], name) for formula in formulas() for name in formula}
    catalogue = set(conn.execute("select name, unnest(parameters) from rules.formula_types").fetchall())
    assert sorted(catalogue - paid - ELSEWHERE) == []
    assert catalogue >= ELSEWHERE


def test_every_choice_of_every_preset(conn: Any) -> None:
    """A choice that a template makes by a parameter's value, and each value of a list of choices."""
    paid = {
        (formula["type"], name, str(value).lower())
        for formula in formulas()
        for name, value in formula.items()
    }
    shared = {(name, value) for _, name, value in paid}
    choices = conn.execute(
        """select t.name, c.name, value from rules.formula_types as t
           cross join rules.template_choices(t.template) as c cross join jsonb_array_elements_text(c.schema -> 'enum') as value"""
    ).fetchall()
    listed = conn.execute(
        """select p.name, value from rules.formula_parameters as p cross join jsonb_array_elements_text(p.schema -> 'enum') as value
           where p.name not like 'claim%' and p.name <> 'version_on'"""
    ).fetchall()
    assert (
        sorted((t, name, value) for t, name, value in choices if (t, name, value.lower()) not in paid) == []
    )
    assert sorted((name, value) for name, value in listed if (name, value.lower()) not in shared) == []


def test_every_fact(conn: Any) -> None:
    levels: dict[str, str] = dict(
        conn.execute(
            "select name, coalesce(jsonb_path_query_first(template, 'strict $.**.level') #>> '{}', 'crew') from rules.formula_types"
        ).fetchall()
    )
    read = set()
    for formula in formulas():
        level = formula.get("level") or levels.get(formula["type"], "crew")
        read |= {tuple(name.split(".", 1)) if "." in name else (level, name) for name in names(formula)}
    facts = set(
        conn.execute(
            """select level, name from rules.facts
               where description not like 'Internal%' and name not like '%\\_offset%' and name not like '%\\_change'
                 and name not in ('version_day', 'first_day')"""
        ).fetchall()
    )
    assert sorted(facts - read) == []
