"""One truth: what the published JSON Schema refuses the database refuses, and the other way round, by a reference implementation."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from typing import Any

import psycopg
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from psycopg.types.json import Jsonb

from crewpay_sync.database import Target
from crewpay_sync.settings import ROOT
from crewpay_sync.tenants import ensure_enterprise
from tests.golden.test_refused import REFUSED

SCHEMA = json.loads((ROOT / "docs" / "formula.schema.json").read_text(encoding="utf-8"))
CONTRACT = json.loads((ROOT / "docs" / "contract.schema.json").read_text(encoding="utf-8"))
REFERENCE = Draft202012Validator(SCHEMA, format_checker=FormatChecker())
# Codes that the form of a formula is refused with; all others are the compiler's.
FORM = ("CP201", "CP202", "CP204")


@cache
def sources() -> list[Any]:
    """Contracts that are loaded somewhere in the tests."""
    folders = (
        "crewpay_sync/samples/*contract.yaml",
        "tests/golden/contracts/*/contract.yaml",
        "tests/golden/cases/*.yaml",
    )
    return [yaml.safe_load(path.read_text(encoding="utf-8")) for folder in folders for path in ROOT.glob(folder)]  # fmt: skip


@cache
def formulas() -> list[dict[str, Any]]:
    """Every formula of the samples and of the golden cases, and every one that is refused."""
    found = []
    for document in sources():
        terms = document["terms"]
        for term in terms.values() if isinstance(terms, dict) else terms:
            formula = term.get("formula") or {
                k: v
                for k, v in term.items()
                if k not in ("code", "effective", "expires", "priority", "applies_to")
            }
            found.append(json.loads(json.dumps(formula, default=str)))
    return found + [formula for _, formula in REFUSED.values()]


@pytest.fixture(scope="module")
def conn(database: Target) -> Iterator[psycopg.Connection[Any]]:
    with closing(database.connect()) as conn:
        ensure_enterprise(conn, "schema", "Schema Air")
        yield conn


def refusal(conn: psycopg.Connection[Any], formula: Any) -> str | None:
    """The code that an insert of the formula is refused with; what isn't a row's form is not its business."""
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(
                """insert into rules.union_contract_terms (enterprise_id, term_code, term_category, term_title, term_text,
                     calculation_formula, effective_date, applies_to)
                   select id, 'X', 'CREDIT', 'X', 'X', %s, '2026-01-01', '{CAPTAIN}' from platform.enterprises where slug = 'schema'""",
                (Jsonb(formula),),
            )
    except psycopg.Error as error:
        refused = error
    else:
        return None
    assert refused.sqlstate in FORM, refused
    assert (refused.diag.message_primary or "").startswith("term X: ")
    assert (refused.diag.message_detail or "").startswith("at $")
    return refused.sqlstate


def both_say(conn: psycopg.Connection[Any], formula: Any) -> None:
    by_reference = [e.json_path for e in REFERENCE.iter_errors(formula)]
    assert (refusal(conn, formula) is None) == (not by_reference), (formula, by_reference)


def test_the_published_schemas_are_schemas() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator.check_schema(CONTRACT)


def test_formulas_that_are_loaded_and_refused(conn: psycopg.Connection[Any]) -> None:
    assert len(formulas()) > 300
    for formula in formulas():
        both_say(conn, formula)


@pytest.mark.parametrize(
    ("name", "formula"),
    [(name, formula) for name, (code, formula) in REFUSED.items() if code in ("CP201", "CP202")],
)
def test_what_the_form_refuses_carries_the_code_of_the_compiler(
    conn: psycopg.Connection[Any], name: str, formula: Any
) -> None:
    found = refusal(conn, formula)
    assert found in (None, REFUSED[name][0])


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


VALUES = st.sampled_from([
    None, True, False, 0, -1, 1, 2.5, 60.0, "", "4:20", "4:75", "25:00", "leg", "quarter", "2026-02-30", [], ["MX"], {}, {"var": "block"},
    {"var": 3}, {"==": [1]}, {"==": [1, 2]}, {"contains": [1, 2]}, {"!": True}, {"if": [True, "4:07", 4]}, {"to": 0.1}, {"round": [1, 0]},
    {"DEADHEAD": 0.5}, {"from": "22:00"}, {"trip": 0.1}, [{"position": "CAPTAIN", "rate": 10}], [{"position": "PURSER", "rate": 10}],
])  # fmt: skip


@settings(max_examples=500 if os.environ.get("CREWPAY_TEST_LONG") else 120, deadline=None, derandomize=True)
@given(data=st.data())
def test_formulas_with_something_changed(data: st.DataObject, conn: psycopg.Connection[Any]) -> None:
    """One place of a formula that is loaded somewhere holds something else, or has one member more."""
    formula = copy.deepcopy(data.draw(st.sampled_from(formulas())))
    where = data.draw(st.sampled_from(sorted(places(formula), key=str)))
    *above, last = where or (None,)
    parent = formula
    for key in above:
        parent = parent[key]
    if where and data.draw(st.booleans()):
        parent[last] = data.draw(VALUES)
    elif isinstance(target := parent if not where else parent[last], dict):
        target[data.draw(st.sampled_from(["colour", "level", "when", "hours", "round", "window", "note"]))] = data.draw(VALUES)  # fmt: skip
    elif where and isinstance(parent, dict):
        del parent[last]
    both_say(conn, formula)


def test_contracts_are_documents_of_the_published_schema() -> None:
    validator = Draft202012Validator(CONTRACT, format_checker=FormatChecker())
    for document in sources():
        if isinstance(document["terms"], list) and "title" in document["terms"][0]:
            plain = json.loads(json.dumps(document, default=str))
            assert [e.message for e in validator.iter_errors(plain)] == []


def test_every_parameter_says_what_it_may_hold(conn: psycopg.Connection[Any]) -> None:
    """A parameter of a type has a row in rules.formula_parameters, or the type's template names its choices."""
    silent = conn.execute(
        """select t.name || '.' || p from rules.formula_types as t cross join unnest(t.parameters) as p
           where not exists (select from rules.formula_parameters as f where f.name in (p, t.name || '.' || p))
             and p not in (select c.name from rules.template_choices(t.template) as c) order by 1"""
    ).fetchall()
    assert silent == [], "add them to sql/rules/reference_formula_parameters.sql"
