"""The sample contract computed outside the engine, each in the best form known: what a pay run is compared with.

* polars and DuckDB: facts read as fixed-width binary COPY on two connections, computed on integers and doubles, final rows
  (lines as arrays) written back by binary COPY on two connections.
* a loop over crew members in PL/pgSQL (`peers.sql`).

They know what the synthetic load holds and no more: flights only, nothing missing, duties and trips with a number. They write
rows with the columns, keys, indexes and checks of pay_calculations (quantities as double precision); audit and row-level
security they don't have. Rates, facts of the month and numbers of terms they get ready-made.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from crewpay_sync.database import Target
from crewpay_sync.output import CrewPayError

try:
    import duckdb
    import numpy as np
    import pgpq
    import polars as pl
    import pyarrow as pa
except ImportError as error:
    raise CrewPayError(
        "CP905", f"the comparison needs {error.name}", hint="Install: .venv/bin/pip install -e '.[bench]'"
    ) from error

HERE = Path(__file__).parent
CENTURY = 10957 * 1440  # minutes from 1970 to 2000, where the server's clock begins
TABLE = "public.peer_results"

# The sample contract by group of positions: clause, label, figures.
PILOTS, CABIN = "pilots", "cabin"
GROUPS = (PILOTS, CABIN)
TERMS = {
    PILOTS: {
        "actual": ("ALPA_Section_4.A", "actual block"), "scheduled": ("ALPA_Section_4.A", "scheduled block"),
        "cancelled": ("ALPA_Section_4.B", "cancelled leg protected"), "minimum": ("ALPA_Section_6.D", "minimum duty"),
        "rig": ("ALPA_Section_6.E", "duty rig"), "trip_rig": ("ALPA_Section_6.F", "trip rig"),
        "per_diem": ("ALPA_Section_8.D", "per diem"), "guarantee": ("ALPA_Section_5.A", "monthly guarantee"),
        "overtime": ("ALPA_Section_10.A", "overtime"), "holiday": ("ALPA_Section_12.D", "premium"),
        "red_eye": ("ALPA_Section_12.C", "premium"), "delay": ("ALPA_Section_13.B", "delay pay"),
    },
    CABIN: {
        "actual": ("AFA_Section_4.A", "actual block"), "scheduled": ("AFA_Section_4.A", "scheduled block"),
        "cancelled": ("AFA_Section_4.B", "cancelled leg protected"), "minimum": ("AFA_Section_6.B", "minimum duty"),
        "rig": ("AFA_Section_6.A", "duty rig"), "trip_rig": ("AFA_Section_6.C", "trip rig"),
        "per_diem": ("AFA_Section_9.A", "per diem"), "guarantee": ("AFA_Section_7.B", "monthly guarantee"),
        "overtime": ("AFA_Section_10.A", "overtime"), "holiday": ("AFA_Section_12.A", "holiday premium"),
    },
}  # fmt: skip
FIGURES: dict[str, dict[str, float]] = {
    PILOTS: {
        "deadhead": 0.5, "minimum": 225, "rig": 3, "rig_over": 1.5, "trip_rig": 4, "per_diem": 2.5, "guarantee": 4200,
        "overtime": 4200, "holiday": 1.0,
    },
    CABIN: {
        "deadhead": 1.0, "minimum": 240, "rig": 2, "rig_over": 0, "trip_rig": 3.5, "per_diem": 2.25, "guarantee": 4500,
        "overtime": 4500, "holiday": 0.5,
    },
}  # fmt: skip
HOLIDAYS = ("2026-01-01", "2026-05-25", "2026-07-04", "2026-09-07", "2026-11-26", "2026-12-25", "2027-01-01")


def statement(name: str) -> str:
    """A statement of peers.sql."""
    for part in (HERE / "peers.sql").read_text().split("-- name: ")[1:]:
        head, body = part.split("\n", 1)
        if head.strip() == name:
            return body.strip().rstrip(";")
    raise KeyError(name)


@dataclass
class Task:
    """What is to be computed: a period whose pay stands, so that the rows can be compared."""

    target: Target
    enterprise: str
    period: str
    run: str
    first_day: int
    last_day: int
    rulesets: dict[str, str] = field(default_factory=dict)
    terms: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def literals(self) -> dict[str, Any]:
        return {"enterprise": self.enterprise, "period": self.period}


def prepare(target: Target) -> Task:
    """The period that was paid, and an empty table like the one that holds its results."""
    with closing(target.connect(autocommit=True)) as conn:
        row = conn.execute(statement("period")).fetchone()
        assert row is not None, "a period is paid"
        task = Task(target, str(row[0]), str(row[1]), str(row[2]), row[3], row[4])
        for part in statement("table").split(";"):
            conn.execute(part)
        for part in statement("ready_made").split(";"):
            conn.execute(part)
        for _, plan in conn.execute(statement("plans"), task.literals).fetchall():
            conn.execute(statement("people_of").format(plan=plan))
        conn.execute("analyze public.peer_people")
        conn.execute(statement("loop"))
        for ruleset, code, label, number in conn.execute(statement("terms"), task.literals):
            for group, names in TERMS.items():
                for name, known in names.items():
                    if known == (code, label):
                        task.rulesets[group] = str(ruleset)
                        task.terms.setdefault(group, {})[name] = number
        for group in GROUPS:
            missing = set(TERMS[group]) - set(task.terms.get(group, {}))
            assert not missing, f"terms of {group}: {missing}"
    return task


# ---- reading and writing, for both ----------------------------------------------------------------------------------


def fetch(conn: psycopg.Connection[Any], query: str, values: dict[str, Any], kinds: str) -> dict[str, Any]:
    """Columns of fixed width by binary COPY: no parsing, one copy. kinds: i2 i4 i8 f8, k a uuid (two halves), c3 text."""
    columns = [(part.split(":")[0], part.split(":")[1]) for part in kinds.split()]
    widths = {"i2": ">i2", "i4": ">i4", "i8": ">i8", "f8": ">f8", "b": "i1", "k": ">u8", "c3": "S3"}
    layout: list[Any] = [("_n", ">i2")]
    for name, kind in columns:
        layout.append((f"_{name}", ">i4"))
        if kind == "k":
            layout += [(f"{name}_hi", ">u8"), (f"{name}_lo", ">u8")]
        else:
            layout.append((name, widths[kind]))
    with conn.cursor() as cursor, cursor.copy(f"copy ({query}) to stdout (format binary)", values) as copy:
        data = b"".join(bytes(block) for block in copy)
    rows = np.frombuffer(
        data, np.dtype(layout), offset=19, count=(len(data) - 21) // np.dtype(layout).itemsize
    )
    assert len(rows) * np.dtype(layout).itemsize + 21 == len(data), "every row has every value"
    found: dict[str, Any] = {}
    for name, kind in columns:
        for part in (f"{name}_hi", f"{name}_lo") if kind == "k" else (name,):
            values_ = rows[part]
            found[part] = (
                values_.astype(values_.dtype.newbyteorder("=")) if kind != "c3" else values_.astype("U3")
            )
    return found


def read(task: Task) -> dict[str, dict[str, Any]]:
    """Everything a month needs, on two connections under one snapshot."""
    with (
        closing(task.target.connect()) as one,
        closing(task.target.connect()) as two,
        ThreadPoolExecutor(2) as pool,
    ):
        one.execute("set transaction isolation level repeatable read")
        row = one.execute(
            "select pg_export_snapshot(), pg_relation_size('crew.crew_assignments') / 8192"
        ).fetchone()
        assert row is not None
        two.execute("set transaction isolation level repeatable read")
        two.execute(f"set transaction snapshot '{row[0]}'")
        # The second connection has the smaller tables to read as well.
        cut = f"({int(row[1] * 0.62)},0)"

        def assignments(conn: psycopg.Connection[Any], where: str) -> dict[str, Any]:
            return fetch(
                conn, statement("assignments") + f" and a.ctid {where} '{cut}'::tid", task.literals,
                "leg:i8 crew:k flight:k trip:k deadhead:b report:i8 release:i8",
            )  # fmt: skip

        def rest() -> list[dict[str, Any]]:
            return [
                fetch(two, statement("people"), task.literals,
                      "crew:k pilot:b offset:i4 change:i4 after:i4 unpaid:i4 days:i4 rate_1:f8 rate_2_day:i4 rate_2:f8"),
                fetch(two, statement("trips"), task.literals, "trip:k trip_no:i8 start:i8 end:i8"),
                fetch(two, statement("flights"), task.literals,
                      "flight:k out:i8 in:i8 sout:i8 sin:i8 cancelled:b delay:i4 code:i2 offset:i4 change:i4 after:i4"),
                assignments(two, ">="),
            ]  # fmt: skip

        other = pool.submit(rest)
        legs = assignments(one, "<")
        people, trips, flights, more = other.result()
    return {
        "people": people, "trips": trips, "flights": flights,
        "legs": {name: np.concatenate((legs[name], more[name])) for name in legs},
    }  # fmt: skip


SCHEMA = pa.schema(
    [("enterprise_id", pa.binary(16)), ("id", pa.binary(16)), ("crew_member_id", pa.binary(16)), ("pay_period_id", pa.binary(16)),
     ("run_id", pa.binary(16)), ("ruleset_id", pa.binary(16))]
    + [(name, pa.decimal128(10, 2)) for name in (
        "flight_pay_hours", "flight_pay_amount", "overtime_hours", "overtime_amount", "delay_pay_amount", "per_diem_amount",
        "premium_pay_amount", "guarantee_hours", "guarantee_amount", "total_gross_pay")]
    + [("line_term", pa.list_(pa.int16())), ("line_node", pa.list_(pa.int64())), ("line_quantity", pa.list_(pa.float64())),
       ("line_cents", pa.list_(pa.int32()))]
)  # fmt: skip
COMPONENTS = {
    "flight": ("actual", "scheduled", "cancelled", "minimum", "rig", "trip_rig"), "overtime": ("overtime",),
    "per_diem": ("per_diem",), "premium": ("holiday", "red_eye"), "delay": ("delay",), "guarantee": ("guarantee",),
}  # fmt: skip


def bytes16(high: Any, low: Any) -> pa.Array:
    """Uuids from their halves."""
    halves = np.empty((len(high), 2), ">u8")
    halves[:, 0], halves[:, 1] = high, low
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(high), [None, pa.py_buffer(halves)])


def hundredths(values: Any) -> pa.Array:
    """Amounts or hours from whole hundredths."""
    wide = np.empty((len(values), 2), "<i8")
    wide[:, 0], wide[:, 1] = values, values >> 63
    return pa.Decimal128Array.from_buffers(pa.decimal128(10, 2), len(values), [None, pa.py_buffer(wide)])


def lists(offsets: Any, values: Any, kind: pa.DataType) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values, kind))


def assemble(task: Task, people: dict[str, Any], lines: dict[str, Any], guaranteed: Any) -> pa.Table:
    """Result rows from lines that are ordered by crew number, term and node. Sums of components by numpy: one pass each."""
    count = len(people["no"])
    crew = lines["no"]
    offsets = np.searchsorted(crew, np.arange(count + 1)).astype("i4")
    terms = np.zeros((2, 64), "i8")
    for kind, names in enumerate(COMPONENTS.values(), start=1):
        for pilot, group in enumerate((CABIN, PILOTS)):
            for name in names:
                if name in task.terms[group]:
                    terms[pilot, task.terms[group][name]] = kind
    component = terms[people["pilot"][crew], lines["term"]]
    cents = (
        np.bincount(component * count + crew, lines["cents"], minlength=7 * count)
        .reshape(7, count)
        .round()
        .astype("i8")
    )
    minutes = np.bincount(component * count + crew, lines["quantity"], minlength=7 * count).reshape(7, count)
    hours = np.floor(np.round(minutes / 60 * 1e8) / 1e6 + 0.5).astype("i8")
    kind_of = {name: number for number, name in enumerate(COMPONENTS, start=1)}
    ids = np.random.default_rng().integers(0, 2**64, (2, count), "u8", endpoint=False)

    def same(value: str) -> pa.Array:
        number = UUID(value).int
        return bytes16(np.full(count, number >> 64, "u8"), np.full(count, number & (2**64 - 1), "u8"))

    rulesets = (
        np.array([UUID(task.rulesets[group]).int >> 64 for group in (CABIN, PILOTS)], "u8"),
        np.array([UUID(task.rulesets[group]).int & (2**64 - 1) for group in (CABIN, PILOTS)], "u8"),
    )
    money = {name: hundredths(cents[kind_of[name]]) for name in COMPONENTS}
    return pa.Table.from_arrays(
        [
            same(task.enterprise), bytes16(ids[0], ids[1]), bytes16(people["crew_hi"], people["crew_lo"]), same(task.period),
            same(task.run), bytes16(rulesets[0][people["pilot"]], rulesets[1][people["pilot"]]),
            hundredths(hours[kind_of["flight"]]), money["flight"], hundredths(hours[kind_of["overtime"]]), money["overtime"],
            money["delay"], money["per_diem"], money["premium"], hundredths(np.floor(np.round(guaranteed / 60 * 1e8) / 1e6 + 0.5).astype("i8")),
            money["guarantee"], hundredths(cents[1:].sum(axis=0)),
            lists(offsets, lines["term"], pa.int16()), lists(offsets, lines["node"], pa.int64()),
            lists(offsets, lines["quantity"], pa.float64()), lists(offsets, lines["cents"], pa.int32()),
        ],
        schema=SCHEMA,
    )  # fmt: skip


def write(task: Task, results: pa.Table) -> None:
    """Result rows by binary COPY on two connections, a transaction each."""
    encoders = {f.name: pgpq.ArrowToPostgresBinaryEncoder.infer_encoder(f) for f in SCHEMA}
    half = results.num_rows // 2 + 1
    names = ", ".join(SCHEMA.names)

    def copy_in(part: pa.Table) -> None:
        encoder = pgpq.ArrowToPostgresBinaryEncoder.new_with_encoders(SCHEMA, encoders)
        with (
            closing(task.target.connect(autocommit=True)) as conn,
            conn.cursor() as cursor,
            cursor.copy(f"copy {TABLE} ({names}) from stdin (format binary)") as copy,
        ):
            copy.write(encoder.write_header())
            for batch in part.to_batches(max_chunksize=1024):
                copy.write(encoder.write_batch(batch))
            copy.write(encoder.finish())

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(copy_in, (results.slice(0, half), results.slice(half))))


# ---- polars ---------------------------------------------------------------------------------------------------------


def both(pilot: pl.Expr, name: str) -> pl.Expr:
    """A figure of the contract, by group."""
    return pl.when(pilot).then(FIGURES[PILOTS][name]).otherwise(FIGURES[CABIN][name])


def term(task: Task, name: str) -> pl.Expr:
    """A term's number, by group."""
    numbers = [task.terms[group].get(name) for group in GROUPS]
    if None in numbers:
        return pl.lit(next(n for n in numbers if n is not None), pl.Int16)
    return pl.when("pilot").then(pl.lit(numbers[0], pl.Int16)).otherwise(pl.lit(numbers[1], pl.Int16))


def local(minute: pl.Expr, prefix: str = "") -> pl.Expr:
    return minute + pl.when(minute >= pl.col(prefix + "change")).then(pl.col(prefix + "after")).otherwise(
        pl.col(prefix + "offset")
    )


def cents(quantity: pl.Expr, per_hour: pl.Expr) -> pl.Expr:
    return (((quantity * per_hour / 60 * 1e6).round().cast(pl.Int64) + 5000) // 10000).cast(pl.Int32)


def rate(day: pl.Expr) -> pl.Expr:
    return pl.when(day >= pl.col("rate_2_day")).then("rate_2").otherwise("rate_1")


def polars_lines(task: Task, facts: dict[str, dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """People, lines in order, and guaranteed minutes."""
    minute = {
        name: (pl.col(name) // 60_000_000 + CENTURY).cast(pl.Int32)
        for name in ("out", "in", "sout", "sin", "start", "end", "report", "release")
    }
    people = (
        pl.DataFrame(facts["people"])
        .with_row_index("no")
        .with_columns(pl.col("pilot").cast(pl.Boolean), pl.col("no").cast(pl.Int32))
    )
    person = people.lazy().drop("unpaid", "days", "rate_1", "rate_2", "rate_2_day")
    flights = (
        pl.DataFrame(facts["flights"])
        .lazy()
        .with_columns(minute[n] for n in ("out", "in", "sout", "sin"))
        .rename({"offset": "origin_offset", "change": "origin_change", "after": "origin_after"})
        .with_columns(pl.col("cancelled").cast(pl.Boolean))
    )
    trips = pl.DataFrame(facts["trips"]).lazy().with_columns(minute["start"], minute["end"])
    in_period = pl.col("day").is_between(task.first_day, task.last_day)
    pilot = pl.col("pilot")
    factor = pl.when(pl.col("deadhead") == 1).then(both(pilot, "deadhead")).otherwise(1.0)
    block = pl.when("cancelled").then(0).otherwise(pl.col("in") - pl.col("out"))
    scheduled = pl.col("sin") - pl.col("sout")
    departure = pl.when("cancelled").then("sout").otherwise("out")
    legs = (
        pl.DataFrame(facts["legs"]).lazy()
        .join(person, on=["crew_hi", "crew_lo"])
        .join(flights, on=["flight_hi", "flight_lo"])
        .join(trips, on=["trip_hi", "trip_lo"])
        .with_columns(minute["report"], minute["release"], block=block, scheduled=scheduled, factor=factor)
        .with_columns(
            actual_credit=pl.when("cancelled").then(None).otherwise(pl.col("block") * pl.col("factor")),
            scheduled_credit=pl.col("scheduled") * pl.col("factor"), day=local(departure) // 1440,
            flown=pl.when((pl.col("deadhead") == 1) | pl.col("cancelled")).then(0).otherwise(pl.col("block")),
        )
        .with_columns(credit=pl.max_horizontal("actual_credit", "scheduled_credit"))
        .collect()
    )  # fmt: skip
    duties = (
        legs.lazy().group_by("no", "report", "trip_no")
        .agg(pl.col("pilot", "offset", "change", "after", "start", "end").first(), pl.col("credit", "block").sum(), pl.col("release").max())
        .with_columns(length=pl.col("release") - pl.col("report"), day=local(pl.col("report")) // 1440)
        .with_columns(
            rig=pl.when(pl.col("length") > both(pilot, "rig_over") * pl.col("block")).then(pl.col("length") / both(pilot, "rig")),
            minimum=both(pilot, "minimum").cast(pl.Float64),
        )
        .with_columns(excess=pl.max_horizontal("rig", "minimum") - pl.col("credit"))
        .with_columns(worth=pl.col("credit") + pl.col("excess").clip(0))
        .collect()
    )  # fmt: skip
    trip_rows = (
        duties.lazy().group_by("no", "trip_no")
        .agg(pl.col("pilot", "offset", "change", "after", "start", "end").first(), pl.col("worth").sum())
        .with_columns(away=pl.col("end") - pl.col("start"), day=local(pl.col("start")) // 1440)
        .with_columns(excess=pl.col("away") / both(pilot, "trip_rig") - pl.col("worth"))
        .collect()
    )  # fmt: skip
    winner = (
        pl.when("cancelled").then(term(task, "cancelled"))
        .when(pl.col("actual_credit") >= pl.col("scheduled_credit")).then(term(task, "actual")).otherwise(term(task, "scheduled"))
    )  # fmt: skip
    credit = pl.concat(
        [
            legs.lazy().filter(in_period & (pl.col("credit") > 0)).select("no", winner.alias("term"), node="leg", quantity="credit", day="day"),
            duties.lazy().filter(in_period & (pl.col("excess") > 0)).select(
                "no", pl.when(pl.col("rig") > pl.col("minimum")).then(term(task, "rig")).otherwise(term(task, "minimum")).alias("term"),
                node=pl.col("report").cast(pl.Int64), quantity="excess", day="day"),
            trip_rows.lazy().filter(in_period & (pl.col("excess") > 0)).select(
                "no", term(task, "trip_rig").alias("term"), node="trip_no", quantity="excess", day="day"),
        ]
    ).collect()  # fmt: skip
    rates = people.lazy().select("no", "rate_1", "rate_2", "rate_2_day")
    last = rate(pl.lit(task.last_day))
    month = (
        people.lazy()
        .join(credit.lazy().group_by("no").agg(pl.col("quantity").sum().alias("credit")), on="no", how="left")
        .with_columns(pl.col("credit").fill_null(0.0), guaranteed=both(pilot, "guarantee") * (pl.col("days") - pl.col("unpaid")) / pl.col("days"))
        .with_columns(short=pl.col("guaranteed") - pl.col("credit"), over=pl.col("credit") - both(pilot, "overtime"))
        .collect()
    )  # fmt: skip
    flown = pl.col("flown")
    start, stop = local(pl.col("out")), local(pl.col("in"))
    holiday = pl.sum_horizontal(
        (pl.min_horizontal(stop, day * 1440 + 1440) - pl.max_horizontal(start, pl.lit(day * 1440, pl.Int32))).clip(0)
        for day in holidays(task)
    ) if holidays(task) else pl.lit(0)  # fmt: skip
    premium = legs.lazy().filter(in_period & (flown > 0)).with_columns(holiday=holiday)
    begin, end = (local(pl.col(name), "origin_") for name in ("out", "in"))
    by_day = [((x // 1440) * 960 + (x % 1440 - 360).clip(0, 960)) for x in (begin, end)]
    night = (end - begin) - (by_day[1] - by_day[0])
    clock = begin % 1440
    touches = (
        (clock >= 1320)
        | (clock < 360)
        | (clock + pl.col("scheduled") > 1320)
        | (clock + pl.col("block") > 1320)
    )
    pay = [
        premium.filter(pl.col("holiday") > 0).select(
            "no", term(task, "holiday").alias("term"), node="leg", quantity=pl.col("holiday").cast(pl.Float64), day="day",
            multiple=both(pilot, "holiday")),
        premium.filter(pilot & (pl.col("holiday") == 0) & touches).select(
            "no", term(task, "red_eye").alias("term"), node="leg", quantity=night.cast(pl.Float64), day="day", multiple=pl.lit(0.5)),
        legs.lazy().filter(in_period & pilot & (pl.col("delay") > 30) & (pl.col("code") == 1)).select(
            "no", term(task, "delay").alias("term"), node="leg", quantity=pl.col("delay") * 0.5, day="day", multiple=pl.lit(1.0)),
    ]  # fmt: skip
    priced = pl.concat([credit.lazy().with_columns(multiple=pl.lit(1.0)), *pay]).join(rates, on="no").select(
        "no", "term", "node", "quantity", cents=cents(pl.col("quantity"), rate(pl.col("day")) * pl.col("multiple")))  # fmt: skip
    lines = pl.concat(
        [
            priced,
            trip_rows.lazy().filter(in_period).select(
                "no", term(task, "per_diem").alias("term"), node="trip_no", quantity=pl.col("away").cast(pl.Float64),
                cents=cents(pl.col("away"), both(pilot, "per_diem"))),
            month.lazy().filter(pl.col("over") > 0).select(
                "no", term(task, "overtime").alias("term"), node=pl.lit(0, pl.Int64), quantity="over", cents=cents(pl.col("over"), last * 0.5)),
            month.lazy().filter((pl.col("credit") < 4500) & (pl.col("short") > 0)).select(
                "no", term(task, "guarantee").alias("term"), node=pl.lit(0, pl.Int64), quantity="short", cents=cents(pl.col("short"), last)),
        ]
    ).filter(pl.col("cents") != 0).sort("no", "term", "node").collect()  # fmt: skip
    found = {name: lines[name].to_numpy() for name in ("no", "term", "node", "quantity", "cents")}
    return (
        {**facts["people"], "no": people["no"].to_numpy()},
        found,
        month.sort("no")["guaranteed"].to_numpy(),
    )


def holidays(task: Task) -> list[int]:
    days = [(date.fromisoformat(day) - date(1970, 1, 1)).days for day in HOLIDAYS]
    return [day for day in days if task.first_day - 2 <= day <= task.last_day + 2]


# ---- DuckDB ---------------------------------------------------------------------------------------------------------


def duckdb_lines(task: Task, facts: dict[str, dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any], Any]:
    people = {**facts["people"], "no": np.arange(len(facts["people"]["pilot"]), dtype="i4")}
    with closing(duckdb.connect()) as db:
        db.execute("set threads = 2; set integer_division = true")
        for name, columns in {**facts, "people": people}.items():
            db.register("legs_in" if name == "legs" else name, pa.table(columns))
        values: dict[str, Any] = {"first": task.first_day, "last": task.last_day}
        for name in {n for group in GROUPS for n in TERMS[group]}:
            one, two = (task.terms[group].get(name) for group in GROUPS)
            values[f"t_{name}"] = f"case when pilot = 1 then {one or two} else {two or one} end::smallint"
        for name in FIGURES[PILOTS]:
            values[f"f_{name}"] = (
                f"case when pilot = 1 then {FIGURES[PILOTS][name]}::double else {FIGURES[CABIN][name]}::double end"
            )
        values["holiday"] = " + ".join(
            [
                "0",
                *(
                    f"greatest(0, least(stop, {day * 1440 + 1440}) - greatest(start, {day * 1440}))"
                    for day in holidays(task)
                ),
            ]
        )
        for part in statement("duckdb").format(**values).split(";"):
            if part.strip():
                db.execute(part)
        lines = db.execute(
            "select no, term, node, quantity, cents from lines order by no, term, node"
        ).fetchnumpy()
        guaranteed = db.execute("select guaranteed from months order by no").fetchnumpy()["guaranteed"]
    return people, lines, guaranteed


# ---- the race -------------------------------------------------------------------------------------------------------

ENGINES = {"polars": polars_lines, "DuckDB": duckdb_lines}


def run(task: Task, name: str) -> dict[str, float]:
    """One round trip: seconds in all, of reading, computing and writing."""
    with closing(task.target.connect(autocommit=True)) as conn:
        conn.execute(f"truncate {TABLE}")
    marks = [time.perf_counter()]
    facts = read(task)
    marks.append(time.perf_counter())
    results = assemble(task, *ENGINES[name](task, facts))
    marks.append(time.perf_counter())
    write(task, results)
    marks.append(time.perf_counter())
    return {
        "all": marks[3] - marks[0],
        "read": marks[1] - marks[0],
        "compute": marks[2] - marks[1],
        "write": marks[3] - marks[2],
    }


def run_loop(task: Task) -> dict[str, float]:
    """The loop over crew members."""
    with closing(task.target.connect(autocommit=True)) as conn:
        conn.execute(f"truncate {TABLE}")
        started = time.perf_counter()
        conn.execute(
            "call public.peer_loop(%s, %s, %s, %s, %s, %s)",
            (
                task.enterprise,
                task.period,
                Jsonb(task.terms),
                Jsonb(FIGURES),
                Jsonb(task.rulesets),
                holidays(task),
            ),
        )
        return {"all": time.perf_counter() - started}


def differences(task: Task) -> int:
    """Results of the period that the peer's rows don't equal: lines, cents, components."""
    with closing(task.target.connect(autocommit=True)) as conn:
        row = conn.execute(statement("differences"), task.literals).fetchone()
        assert row is not None
        return int(row[0])
