"""JsonLogic as CrewPay compiles it against a reference implementation: random typed expressions over random facts, some of them missing."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from json_logic.apply import apply
from json_logic.builtins import BUILTINS, to_bool
from psycopg.types.json import Jsonb

from crewpay_sync.database import Target

EXPRESSIONS = 6000
ROWS = 7
# Facts that a leg reads; what the catalogue calls nullable is sometimes missing.
NUMBERS = ("block", "departure_local", "arrival_local", "delay_minutes", "sit_after")
TEXTS = ("delay_code", "origin", "position")
TRUTHS = ("cancelled", "international", "trip.from_reserve")
ALWAYS = ("delay_minutes", "sit_after", "position", "cancelled", "international")
WORDS = ("MX", "WX", "JFK", "BOS", "", "0", "M", "it's", "@crew@", "%s", "é'\\")


class Known:
    """Where CrewPay means to differ from JsonLogic, each with the reason."""

    @staticmethod
    def order(name: str) -> Callable[..., bool]:
        # JsonLogic takes what is missing for 0; a leg without a time would be early.
        compare = BUILTINS[name]

        def ordered(data: Any = None, *args: Any) -> bool:
            return None not in args and bool(compare(data, *args))

        return ordered

    @staticmethod
    def equal(data: Any = None, a: Any = None, b: Any = None) -> bool:
        # No coercion, since types are checked; missing equals missing.
        return bool(a == b and (a is None) == (b is None))

    @staticmethod
    def number(name: str) -> Callable[..., Any]:
        # What is missing stays missing: a quantity that isn't known is a finding, never a silent zero.
        calculate = BUILTINS[name]

        def calculated(data: Any = None, *args: Any) -> Any:
            return None if None in args else calculate(data, *args)

        return calculated

    @staticmethod
    def quotient(data: Any = None, a: Any = None, b: Any = None) -> Any:
        # Infinity is no pay.
        return None if a is None or not b else a / b

    @staticmethod
    def remainder(data: Any = None, a: Any = None, b: Any = None) -> Any:
        # The sign of the dividend, as JavaScript has it; the reference takes Python's.
        return None if a is None or not b else math.fmod(a, b)

    @staticmethod
    def within(data: Any = None, needle: Any = None, stack: Any = None) -> bool:
        # What is missing is in nothing; the reference looks for the word null.
        return needle is not None and stack is not None and needle in stack

    @staticmethod
    def cat(data: Any = None, *args: Any) -> str:
        # What is missing is written as nothing, as JavaScript has it; numbers without an exponent.
        return "".join(
            "" if a is None
            else a if isinstance(a, str)
            else str(a).lower() if isinstance(a, bool)
            else format(Decimal(a).normalize(), "f") if a else "0"
            for a in args
        )  # fmt: skip


OPERATIONS: dict[str, Any] = {
    **BUILTINS,
    **{name: Known.order(name) for name in ("<", "<=", ">", ">=")},
    **{name: Known.number(name) for name in ("+", "-", "*", "min", "max")},
    "==": Known.equal,
    "===": Known.equal,
    "!=": lambda data=None, a=None, b=None: not Known.equal(data, a, b),
    "!==": lambda data=None, a=None, b=None: not Known.equal(data, a, b),
    "/": Known.quotient,
    "%": Known.remainder,
    "in": Known.within,
    "cat": Known.cat,
}


class Maker:
    """Expressions whose operands have types that CrewPay takes."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311

    def read(self, names: tuple[str, ...], default: Any = None) -> dict[str, Any]:
        name = self.random.choice(names)
        return {"var": self.random.choice([name, [name]]) if default is None else [name, default]}

    def several(self, make: Callable[[int], Any], depth: int, least: int = 1, most: int = 4) -> list[Any]:
        return [make(depth - 1) for _ in range(self.random.randint(least, most))]

    def number(self, depth: int) -> Any:
        if depth <= 0 or self.random.random() < 0.2:
            return self.random.choice([
                self.random.randint(-9, 120), self.random.randint(0, 40) / 4, self.read(NUMBERS), self.read(NUMBERS), self.read(NUMBERS, self.random.randint(0, 9)),
            ])  # fmt: skip
        kind = self.random.choice(["+", "-", "*", "/", "%", "min", "max", "if", "and", "or", "unary", "text"])
        if kind in ("+", "min", "max", "and", "or"):
            return {kind: self.several(self.number, depth)}
        if kind == "*":
            return {kind: self.several(self.number, depth, 1, 2)}
        if kind == "-":
            return {kind: self.several(self.number, depth, 1, 2)}
        if (
            kind == "/"
        ):  # A quotient that both hold exactly: elsewhere the two may fall on either side of a comparison.
            return {kind: [self.number(depth - 1), self.random.choice([2, 4, 0.5, 8, -2, 0])]}
        if kind == "%":
            return {kind: [self.number(depth - 1), self.random.choice([7, 60, 2.5, -4, 0])]}
        if kind == "if":
            return self.choice(self.number, depth)
        if kind == "unary":
            return {self.random.choice("+-"): self.number(depth - 1)}
        return {"+": ["3.25", self.number(depth - 1)]}

    def text(self, depth: int) -> Any:
        if depth <= 0 or self.random.random() < 0.3:
            return self.random.choice([self.random.choice(WORDS), self.read(TEXTS), self.read(TEXTS, self.random.choice(WORDS))])  # fmt: skip
        kind = self.random.choice(["cat", "if", "and", "or"])
        if kind == "cat":
            return {"cat": [self.random.choice([self.text, self.number, self.truth])(depth - 1) for _ in range(self.random.randint(1, 3))]}  # fmt: skip
        if kind == "if":
            return self.choice(self.text, depth)
        return {kind: self.several(self.text, depth)}

    def choice(self, make: Callable[[int], Any], depth: int) -> Any:
        branches: list[Any] = []
        for _ in range(self.random.randint(1, 3)):
            branches += [self.any(depth - 1), make(depth - 1)]
        return {"if": branches + [make(depth - 1)] * self.random.randint(0, 1)}

    def truth(self, depth: int) -> Any:
        """A condition that is never missing."""
        kind = self.random.choice(["==", "order", "between", "!", "in", "substring", "missing", "bool"])
        if kind == "==":
            make = self.random.choice([self.number, self.text, self.truth])
            if depth <= 0:
                make = self.number
            return {self.random.choice(["==", "===", "!=", "!=="]): [make(depth - 1), make(depth - 1)]}
        if kind == "order":
            return {self.random.choice(["<", "<=", ">", ">="]): [self.number(depth - 1), self.number(depth - 1)]}  # fmt: skip
        if kind == "between":
            return {self.random.choice(["<", "<=", ">", ">="]): [self.number(depth - 1) for _ in range(3)]}
        if kind == "!":
            value = self.any(depth - 1)
            return {self.random.choice(["!", "!!"]): self.random.choice([value, [value]])}
        if kind == "in":
            make = self.random.choice([self.number, self.text])
            return {"in": [make(depth - 1), [make(0) for _ in range(self.random.randint(0, 4))]]}
        if kind == "substring":
            return {"in": [self.text(depth - 1), self.text(depth - 1)]}
        if kind == "missing":
            return {"!!": {"missing": self.random.sample([*NUMBERS, *TEXTS, *TRUTHS], self.random.randint(1, 3))}}  # fmt: skip
        return self.random.choice([True, False])

    def any(self, depth: int) -> Any:
        """Whatever has a truth: facts that may be missing, and and or of mixed types."""
        if depth > 0 and self.random.random() < 0.3:
            return {self.random.choice(["and", "or"]): self.several(self.any, depth, 2, 3)}
        make = self.random.choice([self.number, self.text, self.truth, None])
        return make(depth) if make else self.read(TRUTHS)

    def facts(self) -> dict[str, Any]:
        values: dict[str, Any] = {
            **{name: self.random.choice([0, self.random.randint(0, 150)]) for name in NUMBERS},
            **{name: self.random.choice(WORDS) for name in TEXTS},
            **{name: self.random.choice([True, False]) for name in TRUTHS},
        }
        return {
            name: value if name in ALWAYS or self.random.random() < 0.7 else None
            for name, value in values.items()
        }


@pytest.fixture(scope="module")
def conn(database: Target) -> Iterator[psycopg.Connection[Any]]:
    with closing(database.connect()) as conn:
        yield conn


def literal(value: Any) -> str:
    if value is None:
        return "null"
    return "'" + str(value).replace("'", "''") + "'" if isinstance(value, str) else str(value).lower()


def rows_sql(rows: list[dict[str, Any]]) -> str:
    """Facts as the columns that compiled expressions read."""
    kinds = {**dict.fromkeys(NUMBERS, "integer"), **dict.fromkeys(TEXTS, "text"), **dict.fromkeys(TRUTHS, "boolean")}  # fmt: skip
    selects = [
        f"select {number} as row_no, "
        + ", ".join(
            f"{literal(row[name])}::{kind} as {name.replace('.', '_') if '.' in name else 'leg_' + name}"
            for name, kind in kinds.items()
        )
        for number, row in enumerate(rows)
    ]
    return " union all ".join(selects)


def as_data(row: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {name: value for name, value in row.items() if "." not in name}
    data["trip"] = {name.split(".")[1]: value for name, value in row.items() if "." in name}
    return data


def same(kind: str, got: Any, want: Any) -> bool:
    if kind == "bool":
        return bool(got) is bool(to_bool(want))
    if kind == "text" or got is None or want is None:
        return bool(got == want)
    return math.isclose(float(got), float(want), rel_tol=1e-9, abs_tol=1e-9)


def test_thousands_of_random_expressions(conn: psycopg.Connection[Any]) -> None:
    maker = Maker(20130101)
    makers = [maker.number, maker.text, maker.any, maker.truth]
    expressions = [makers[n % 4](1 + n % 4) for n in range(EXPRESSIONS)]
    rows = [maker.facts() for _ in range(ROWS)]
    source = rows_sql(rows)
    data = [as_data(row) for row in rows]
    decided: dict[str, set[str]] = {}
    for start in range(0, EXPRESSIONS, 100):
        part = expressions[start : start + 100]
        compiled = conn.execute(
            """select (e).sql, (e).value_type
               from jsonb_array_elements(%s) with ordinality as x (logic, no)
               cross join lateral (select rules.compile_expression(logic, 'leg', '{}', 'T $')) as c (e)
               order by no""",
            (Jsonb(part),),
        ).fetchall()
        columns = ", ".join(f"({sql}) as e{n}" for n, (sql, _) in enumerate(compiled))
        results = conn.cursor().execute(f"select {columns} from ({source}) as facts order by row_no".encode()).fetchall()  # fmt: skip
        for row, facts in zip(results, data, strict=True):
            for logic, (sql, kind), got in zip(part, compiled, row, strict=True):
                want = apply(logic, facts, OPERATIONS)
                family = "number" if kind in ("int", "numeric") else kind
                assert same(family, got, want), (json.dumps(logic), sql, facts, got, want)
                decided.setdefault(family, set()).add(str(want))
    # The sample says something: many values of each type, missing ones too.
    assert len(decided["number"]) > 500
    assert len(decided["text"]) > 100
    assert decided["bool"] >= {"True", "False"}
    assert "None" in decided["number"]


@pytest.mark.parametrize(
    ("logic", "want"),
    [
        ({"and": []}, "CP204"),
        ({"/": [1, 2, 3]}, "CP204"),
        ({"/": 2}, "CP204"),
        ({"-": [3, 2, 1]}, "CP204"),
        ({"<": [1]}, "CP204"),
        ({"<": ["a", "b"]}, "CP204"),
        ({"==": [1, "1"]}, "CP204"),
        ({"==": [{"missing": ["block"]}, True]}, "CP204"),
        ({"cat": [{"missing": ["block"]}]}, "CP204"),
        ({"if": [True, {"missing": ["block"]}]}, "CP204"),
        ({"missing": [3]}, "CP204"),
        ({"missing": ["moon"]}, "CP203"),
        ({"missing_some": [1, ["block"]]}, "CP204"),
        ({"in": [1, [1, "a"]]}, "CP204"),
        ({"in": [1, "12"]}, "CP204"),
        ({"+": ["one"]}, "CP204"),
        ({"*": ["2", 3]}, "CP204"),
        ({"map": [[1, 2], {"var": ""}]}, "CP204"),
        ({"var": ["block", 1, 2]}, "CP204"),
        ({"var": ""}, "CP203"),
        ({"round": [{"var": "block"}, 6, "even"]}, "CP204"),
        (1e15, "CP204"),
        (1e-16, "CP204"),
        (None, "CP204"),
    ],
)
def test_outside_the_set_it_is_refused(conn: psycopg.Connection[Any], logic: Any, want: str) -> None:
    with pytest.raises(psycopg.Error) as caught, conn.transaction():
        conn.execute("select rules.compile_expression(%s, 'leg', '{}', 'T $')", (Jsonb(logic),))
    assert caught.value.sqlstate == want


@pytest.mark.parametrize(
    ("logic", "want"),
    [
        ({"round": [{"/": [100, 3]}, 0.01]}, Decimal("33.33")),
        ({"round": [{"/": [5, 2]}, 1]}, 3),
        ({"round": [-2.5, 1]}, -3),
        ({"round": [7, 6, "up"]}, 12),
        ({"round": [11, 6, "down"]}, 6),
        ({"round": [12, 6, "up"]}, 12),
    ],
)
def test_the_operator_that_was_added(conn: psycopg.Connection[Any], logic: Any, want: Any) -> None:
    [sql] = conn.execute("select (rules.compile_expression(%s, 'leg', '{}', 'T $')).sql", (Jsonb(logic),)).fetchone() or [""]  # fmt: skip
    [got] = conn.cursor().execute(f"select {sql}".encode()).fetchone() or [None]
    assert got == want
