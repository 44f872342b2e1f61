"""`python -m tests.bench.sync`: how fast the rule graph follows, in both directions, beside what was promised.

A real Neo4j (`.dev/neo4j start bench`), real daemons, the sample airline in databases of its own on the configured server,
dropped at the end. Every figure is measured in each run; all runs are reported. A promise holds when it does in every run.
"""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import neo4j
from psycopg.rows import dict_row

from crewpay_sync.database import Target, direct_target
from crewpay_sync.deploy import scratch
from crewpay_sync.deploy.source import Tree
from crewpay_sync.importers.avelo import load_avelo
from crewpay_sync.measure import percentile
from crewpay_sync.output import json_option, print_json, print_table, report_errors, say
from tests.bench.__main__ import machine
from tests.graph.harness import Airline, Daemon, Server, drop_login, eventually, proxied, synchronised, wipe

MANY, HOT = 100_000, 1_000
EDGES = 5_000
TITLE = "MATCH (n:ContractTerm {enterprise: $e, code: 'ALPA_Section_13.B'}) RETURN n.title AS title"
QUEUE_TRIGGERS = tuple(f"union_contract_terms_80_queue_{event}" for event in ("insert", "update", "delete"))


@dataclass(frozen=True)
class Promise:
    """A figure: what it is, its unit, and the upper limit that was promised."""

    what: str
    unit: str
    limit: float
    digits: int = 2


IDLE_P50 = Promise("idle: commit to graph, p50", "ms", 10, 1)
IDLE_P99 = Promise("idle: commit to graph, p99", "ms", 50, 1)
DISTINCT = Promise(f"{MANY:,} distinct keys", "s", 15)
COALESCED = Promise(f"{MANY:,} changes on {HOT:,} keys", "s", 2)
RECONCILE = Promise(f"reconcile of {MANY:,}, the whole command", "s", 6)
MEMORY = Promise("peak memory of the daemon, all of that", "MB", 150, 0)
BACK_MANY = Promise(f"back-flow: {EDGES:,} edges drawn at once", "s", 2)
BACK_ONE = Promise(f"back-flow: one more edge beside {EDGES:,}, slowest of 5", "s", 2)
KILLED = Promise("failover, leader killed, slowest of 5", "s", 2)
CUT_OFF = Promise("failover, leader's host cut off", "s", 15)
COST_ONE = Promise("writer: one term a transaction, against no triggers", "×", 1.1)
COST_MANY = Promise(f"writer: {HOT:,} terms a statement, against no triggers", "×", 1.1)
Figures = dict[Promise, float]


def peak_mb(daemon: Daemon) -> float:
    """The most memory a daemon has had."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1000


def terms(airline: Airline, count: int) -> None:
    """So many terms, in one transaction."""
    airline.do(
        "insert into rules.union_contract_terms (enterprise_id, term_code, term_category, term_title, term_text, effective_date, applies_to) "
        "select %s, 'Bulk_' || n, 'CREDIT', 'Term ' || n, 'Text of term ' || n, '2025-01-01', '{CAPTAIN}' from generate_series(1, %s) n",
        airline.enterprise,
        count,
    )


def seconds_until(what: Callable[[], object], limit: float = 120) -> float:
    started = time.perf_counter()
    eventually(what, limit)
    return time.perf_counter() - started


def empty(airline: Airline) -> bool:
    return airline.queue_depth() == 0


def idle(airline: Airline) -> Figures:
    """One change at a time: from the end of the commit until a reader of Neo4j sees it."""
    airline.daemon()
    airline.agree()
    taken = []
    with airline.driver.session() as reader:
        for number in range(550):
            time.sleep(random.uniform(0.01, 0.03))  # noqa: S311
            title = airline.change()
            started = time.perf_counter()
            while True:
                record = reader.run(TITLE, e=str(airline.enterprise)).single()
                if record and record["title"] == title:
                    break
                time.sleep(0.001)  # a reader that never rests takes from the others what it measures
            if number >= 50:
                taken.append((time.perf_counter() - started) * 1000)
    return {IDLE_P50: percentile(taken, 0.5), IDLE_P99: percentile(taken, 0.99)}


def many(airline: Airline) -> Figures:
    """A large contract at once, the same keys again and again, both sides compared, and what the daemon needs for it."""
    figures: Figures = {}
    daemon = airline.daemon()
    airline.agree()
    terms(airline, MANY)
    figures[DISTINCT] = seconds_until(lambda: empty(airline))
    count = "MATCH (n:ContractTerm {enterprise: $e}) WHERE n.code STARTS WITH 'Bulk' RETURN count(*) AS n"
    if airline.cypher(count) != [{"n": MANY}]:
        raise SystemExit("not all terms arrived")
    airline.do("analyze rules.union_contract_terms")
    with airline.conn.transaction():
        for _ in range(MANY // HOT):
            airline.do(
                "update rules.union_contract_terms set priority = priority + 1 where enterprise_id = %s and term_code like 'Bulk\\_99___'",
                airline.enterprise,
            )
    figures[COALESCED] = seconds_until(lambda: empty(airline))
    airline.conn.execute("vacuum analyze")
    started = time.perf_counter()
    airline.crewpay("sync", "reconcile")
    figures[RECONCILE] = time.perf_counter() - started
    eventually(lambda: daemon.log.read_text().count("leading with epoch") == 2, 30)
    airline.agree(60)
    figures[MEMORY] = peak_mb(daemon)
    return figures


def back(airline: Airline) -> Figures:
    """A curator's edit: from its commit until it is the generation in force."""
    airline.daemon()
    terms(airline, EDGES)
    airline.cypher(
        "CREATE (:Scenario {enterprise: $e, id: 'many', name: 'Many', level: 'leg', pattern: '{\"var\": \"cancelled\"}'})"
    )
    eventually(lambda: empty(airline) and airline.generation() == 1, 60)

    def live(text: str, limit: float = 60) -> float:
        time.sleep(random.uniform(0.5, 1.5))  # noqa: S311
        before = airline.generation()
        airline.cypher(text)
        return seconds_until(lambda: airline.generation() > before, limit)

    draw = "MATCH (t:ContractTerm {enterprise: $e}) WHERE t.code STARTS WITH 'Bulk' MATCH (s:Scenario {enterprise: $e, id: 'many'}) CREATE (t)-[:APPLIES_TO]->(s)"
    at_once = live(draw)
    one = [
        live(
            "MATCH (t:ContractTerm {enterprise: $e, code: 'ALPA_Section_8.D'}), (s:Scenario {enterprise: $e, id: 'many'}) "
            f"MERGE (t)-[r:APPLIES_TO]->(s) SET r.note = 'Edit {number}'"
        )
        for number in range(5)
    ]
    return {BACK_MANY: at_once, BACK_ONE: max(one)}


def failover(airline: Airline, server: Server) -> Figures:
    """The leader is gone: from that moment until a change made then has arrived."""

    def arrives(title: str) -> bool:
        return airline.cypher(TITLE) == [{"title": title}]

    leader = airline.daemon()
    airline.agree()
    killed = []
    for _ in range(5):
        other = airline.daemon(ready=False)
        other.saw("stands by")
        time.sleep(random.uniform(0, 1))  # noqa: S311
        started = time.perf_counter()
        leader.kill()
        title = airline.change()
        eventually(lambda t=title: arrives(t), 60)
        killed.append(time.perf_counter() - started)
        leader = other
    leader.stop()
    port = int(airline.target.as_dict()["port"])
    with proxied(port) as postgres, proxied(server.port) as graph:
        airline.daemon(database=airline.sync_target(port=postgres.port), uri=f"bolt://127.0.0.1:{graph.port}")
        airline.agree()
        airline.daemon(ready=False).saw("stands by")
        time.sleep(random.uniform(0, 2))  # noqa: S311
        started = time.perf_counter()
        for proxy in (postgres, graph):
            proxy.refuse = True
            proxy.half_open()
        title = airline.change()
        eventually(lambda: arrives(title), 60)
        cut_off = time.perf_counter() - started
    return {KILLED: max(killed), CUT_OFF: cut_off}


def cost(airline: Airline) -> Figures:
    """What the triggers cost the writer, in many short turns with and without them; nobody works the queue off meanwhile. The
    figure is the median of the turns' ratios: what the machine does beside it passes more slowly than a turn."""
    terms(airline, HOT)
    airline.crewpay("sync", "run", "--once")
    airline.conn.execute("vacuum analyze")
    one = "update rules.union_contract_terms set priority = priority %% 100 + 1 where enterprise_id = %s and term_code = 'Bulk_7'"
    all_of_them = "update rules.union_contract_terms set priority = priority %% 100 + 1 where enterprise_id = %s and term_code like 'Bulk\\_%%'"
    ratios: dict[Promise, list[float]] = {COST_ONE: [], COST_MANY: []}
    for _ in range(60):
        taken: dict[tuple[Promise, bool], list[float]] = {}
        for connected in random.sample((True, False), 2):
            for trigger in QUEUE_TRIGGERS:
                airline.do(
                    f"alter table rules.union_contract_terms {'enable' if connected else 'disable'} trigger {trigger}"
                )
            for promise, text, warm, times in ((COST_ONE, one, 8, 30), (COST_MANY, all_of_them, 1, 3)):
                for number in range(warm + times):
                    started = time.perf_counter()
                    airline.do(text, airline.enterprise)
                    if number >= warm:  # the first ones plan anew
                        taken.setdefault((promise, connected), []).append(time.perf_counter() - started)
            airline.do("delete from graph.outbox")
            airline.do("vacuum rules.union_contract_terms, graph.outbox")
        for promise, found in ratios.items():
            found.append(statistics.median(taken[promise, True]) / statistics.median(taken[promise, False]))
    return {promise: statistics.median(found) for promise, found in ratios.items()}


@contextmanager
def prepared(server: Target, tree: Tree) -> Iterator[str]:
    """Name of a database with the sample airline in it, to be cloned."""
    with scratch.temporary(server, "bench_sync", tree) as target:
        with closing(target.connect(autocommit=True, row_factory=dict_row)) as conn:
            load_avelo(conn)
        yield target.dbname


def measure(
    part: str, server: Target, tree: Tree, source: str, graph: Server, driver: neo4j.Driver
) -> Figures:
    """One part, in a database of its own beside an empty graph."""
    wipe(driver)
    name = scratch.own_name(tree, f"bench_sync_{part}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.callback(scratch.drop, server, name)
        target = scratch.clone(server, source, name, tree)
        airline = stack.enter_context(synchronised(target, driver, graph, folder))
        if part == "failover":
            return failover(airline, graph)
        return PARTS[part](airline)


PARTS: dict[str, Callable[[Airline], Figures]] = {"idle": idle, "many": many, "back": back, "cost": cost}


@click.command()
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice([*PARTS, "failover"]),
    help="Only this; may be repeated.",
)
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1, 20), help="All are reported.")
@json_option
def main(parts: tuple[str, ...], runs: int, as_json: bool) -> None:
    """Measure the synchronisation with Neo4j beside the promises."""
    tree = Tree(Path(__file__).resolve().parents[2])
    server = direct_target().with_(dbname="postgres")
    graph = Server("bench")
    started_here = not graph.running
    graph.start()
    found: dict[Promise, list[float]] = {}
    loads = []
    try:
        with prepared(server, tree) as source, graph.driver() as driver:
            for part in parts or (*PARTS, "failover"):
                for number in range(runs):
                    loads.append(os.getloadavg()[0])
                    say(f"{part}, run {number + 1} (load {loads[-1]:.1f})")
                    for promise, value in measure(part, server, tree, source, graph, driver).items():
                        found.setdefault(promise, []).append(value)
    finally:
        with closing(server.connect(autocommit=True)) as conn:
            drop_login(conn)
        if started_here:
            graph.stop()
    table = [
        {
            "what": p.what,
            **{f"run {n}": f"{v:,.{p.digits}f}" for n, v in enumerate(values, 1)},
            "unit": p.unit,
            "promise": f"≤ {p.limit:g}",
            "holds": "yes" if max(values) <= p.limit else "NO",
        }
        for p, values in found.items()
    ]
    where = (
        f"{machine(server)}; Neo4j 5.26 Community; load while measuring {min(loads):.1f} to {max(loads):.1f}"
    )
    if as_json:
        print_json(table, machine=where)
    else:
        say(where)
        print_table(table)


if __name__ == "__main__":
    with report_errors():
        main()
