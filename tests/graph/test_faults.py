"""What can go wrong, done for real: killed, paused and cut-off processes, poison, outages, wiped and restored sides.

After each fault both sides are equal, no dead letter is left that wasn't planted, and one daemon leads (Airline.agree).
The numbers are those of the table in docs/sync.md. Short runs are in every test run; the rest with CREWPAY_TEST_LONG=1.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from crewpay_sync.deploy import scratch
from crewpay_sync.sync.failpoints import PLACES
from tests.graph.harness import eventually, proxied, wipe

LONG = bool(os.environ.get("CREWPAY_TEST_LONG"))
TITLE = "MATCH (n:ContractTerm {enterprise: $e, code: $code}) RETURN n.title AS title"


def bulk(airline: Any, count: int, prefix: str = "Bulk") -> None:
    """Many terms in one statement."""
    airline.do(
        "insert into rules.union_contract_terms (enterprise_id, term_code, term_category, term_title, term_text, effective_date, applies_to) "
        "select %s, %s || '_' || n, 'CREDIT', 'Term ' || n, 'Text', '2025-01-01', '{CAPTAIN}' from generate_series(1, %s) n",
        airline.enterprise, prefix, count,
    )  # fmt: skip


def leader(airline: Any) -> str | None:
    found: str | None = airline.one("select holder from graph.links")
    return found


# ---- 1: the daemon is killed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        p
        if p in ("after_peek", "before_neo4j_commit", "after_neo4j_commit", "after_propose")
        else pytest.param(p, marks=pytest.mark.long)
        for p in PLACES
    ],
)
def test_1_daemon_killed(airline: Any, place: str) -> None:
    """kill -9 at each step, while it pushes and while it reads back; the next one finishes what was begun."""
    airline.crewpay("sync", "run", "--once")
    for attempt in range(50 if LONG else 1):
        title = airline.change()
        airline.cypher(
            "MATCH (s:Scenario {enterprise: $e, id: 'red_eye_flight'}) SET s.description = $d",
            d=f"Attempt {attempt}.",
        )
        # The first transaction is its claim, the second the change.
        second = "@2" if place in ("in_neo4j_tx", "before_neo4j_commit", "after_neo4j_commit") else ""
        daemon = airline.daemon(f"{place}:kill{second}", ready=False)
        assert daemon.died() == -signal.SIGKILL, daemon.log.read_text()
    assert airline.one("select count(*) from graph.outbox") > 0 or place not in (
        "before_peek",
        "after_peek",
        "in_neo4j_tx",
    )
    airline.daemon()
    airline.agree()
    assert airline.cypher(TITLE, code="ALPA_Section_13.B") == [{"title": title}]
    described = (
        "select description from graph.scenarios where id = 'red_eye_flight' order by generation desc limit 1"
    )
    eventually(lambda: airline.one(described) == f"Attempt {attempt}.", why="the edit is in force")
    assert airline.one("select epoch from graph.links") == (52 if LONG else 3)


# ---- 2: Neo4j is killed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        "in_neo4j_tx",
        pytest.param("", marks=pytest.mark.long),
        pytest.param("before_neo4j_commit", marks=pytest.mark.long),
    ],
)
def test_2_neo4j_killed(airline: Any, neo4j_server: Any, place: str) -> None:
    """kill -9 while idle, within a transaction, at its commit: the daemon waits, and goes on when it is back."""
    airline.crewpay("sync", "run", "--once")
    daemon = airline.daemon(f"{place}:stop@2" if place else "")  # the first is its claim
    title = airline.change()
    if place:
        eventually(lambda: state(daemon.process.pid) == "T", why="it stands within the transaction")
    neo4j_server.kill()
    if place:
        daemon.signal(signal.SIGCONT)
    daemon.saw("Neo4j is away")
    airline.change("ALPA_Section_5.A")
    assert airline.one("select count(*) from graph.dead_letters") == 0
    neo4j_server.start()
    airline.agree()
    assert airline.cypher(TITLE, code="ALPA_Section_13.B") == [{"title": title}]
    assert daemon.running


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


# ---- 3: Postgres fails ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="kills a server process")
@pytest.mark.skipif(bool(os.environ.get("DATABASE_URL")), reason="crashes the private cluster")
def test_3_postgres_killed(airline: Any, server: Any) -> None:
    """kill -9 of the leader's own server process: all of Postgres restarts, and the daemon leads again."""
    daemon = airline.daemon()
    airline.agree()
    os.kill(airline.one("select backend_pid from graph.links"), signal.SIGKILL)
    daemon.saw("the database is away")

    def back() -> bool:
        with suppress(psycopg.Error, Exception):
            airline.conn.close()
            airline.conn = airline.target.connect(autocommit=True)
            return True
        return False

    eventually(back, why="Postgres is back")
    airline.change()
    daemon.saw("leading with epoch 2")
    airline.agree()


@pytest.mark.long
@pytest.mark.parametrize("which", ["crewpay sync", "crewpay sync listen"])
def test_3_sessions_terminated(airline: Any, which: str) -> None:
    airline.daemon()
    airline.agree()
    for _ in range(20):
        title = airline.change()
        airline.do(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s and datname = current_database()",
            which,
        )
        eventually(
            lambda t=title: airline.cypher(TITLE, code="ALPA_Section_13.B") == [{"title": t}],
            why="the change arrives all the same",
        )
    airline.agree()


# ---- 4: the network ---------------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("link", ["postgres", "neo4j"])
@pytest.mark.parametrize("fault", ["drop", "half-open", "delay", "cut", "refuse"])
def test_4_network(airline: Any, neo4j_server: Any, link: str, fault: str) -> None:
    """A proxy between the daemon and one side that drops, swallows, delays, cuts: it recovers within the bound of keepalive and poll."""
    port = neo4j_server.port if link == "neo4j" else int(airline.target.as_dict()["port"])
    with proxied(port) as proxy:
        if link == "neo4j":
            daemon = airline.daemon(uri=f"bolt://127.0.0.1:{proxy.port}")
        else:
            daemon = airline.daemon(database=airline.sync_target(port=proxy.port))
        airline.agree()
        if fault == "drop":
            proxy.drop()
        elif fault == "half-open":
            proxy.half_open()
        elif fault == "delay":
            proxy.delay = 0.5
        elif fault == "cut":
            proxy.cut_after = 700
        else:
            proxy.refuse = True
            proxy.drop()
        title = airline.change()
        bulk(airline, 200)
        if fault == "refuse":
            time.sleep(3)  # the fault is that it lasts
            proxy.refuse = False
        eventually(
            lambda: airline.cypher(TITLE, code="ALPA_Section_13.B") == [{"title": title}],
            why="the change arrives",
        )
        proxy.delay = 0
        airline.agree()
        assert daemon.running


# ---- 5: several daemons --------------------------------------------------------------------------------------------------------


def test_5_a_paused_leader_is_fenced(airline: Any) -> None:
    """It stood still just before its write, with old content in its hands; when it wakes, Neo4j refuses it."""
    airline.crewpay("sync", "run", "--once")
    zombie = airline.daemon("before_write:stop")
    old = airline.change()
    eventually(lambda: state(zombie.process.pid) == "T", why="it stands before the write")
    other = airline.daemon(ready=False)
    new = airline.change()
    other.saw("leading with epoch 3")  # after ten seconds of silence
    eventually(
        lambda: airline.cypher(TITLE, code="ALPA_Section_13.B") == [{"title": new}],
        why="the new leader writes",
    )
    other.saw("both sides compared")
    zombie.signal(signal.SIGCONT)
    zombie.saw("another daemon leads now")
    airline.agree()
    assert airline.cypher(TITLE, code="ALPA_Section_13.B") == [{"title": new}]
    assert old != new
    assert zombie.running
    assert other.running
    other.kill()
    zombie.saw("leading with epoch 4")  # it stands by, and leads again when the other is gone
    airline.change()
    airline.agree()


@pytest.mark.long
def test_5_a_leader_paused_within_a_transaction(airline: Any) -> None:
    """It holds the lock of the fence in Neo4j: that ends its transaction by itself, and the new leader doesn't wait for the old one."""
    airline.crewpay("sync", "run", "--once")
    zombie = airline.daemon("before_neo4j_commit:stop@2")
    airline.change()
    eventually(lambda: state(zombie.process.pid) == "T", why="it stands within the transaction")
    other = airline.daemon(ready=False)
    new = airline.change()
    other.saw("leading with epoch 3")
    eventually(
        lambda: airline.cypher(TITLE, code="ALPA_Section_13.B") == [{"title": new}],
        why="the new leader writes",
    )
    other.saw("both sides compared")
    zombie.signal(signal.SIGCONT)
    zombie.saw("another daemon leads now")
    airline.agree()
    assert zombie.running


@pytest.mark.parametrize("count", [2, pytest.param(5, marks=pytest.mark.long)])
def test_5_several_daemons(airline: Any, count: int) -> None:
    """One leads; killed, another leads within two seconds and a poll."""
    daemons = [airline.daemon(ready=False) for _ in range(count)]
    eventually(
        lambda: airline.one("select count(*) from graph.links where holder is not null") == 1, why="one leads"
    )
    while len(daemons) > 1:
        airline.change()
        airline.agree()
        pid = int(str(leader(airline)).rsplit(":", 1)[1])
        (first,) = [d for d in daemons if d.process.pid == pid]
        daemons.remove(first)
        epoch = airline.one("select epoch from graph.links")
        first.kill()
        eventually(lambda e=epoch: airline.one("select epoch from graph.links") > e, why="another leads")
    airline.change()
    airline.agree()


# ---- 6, 7: transactions that overlap -----------------------------------------------------------------------------------------------


def test_6_commits_out_of_order(airline: Any) -> None:
    """A transaction that began first commits last, on a node made of several tables; in between everything else was acknowledged."""
    airline.daemon()
    airline.agree()
    (interpretation, term) = (
        airline.rows("select id from rules.rule_interpretations order by id limit 1"),
        airline.one("select id from rules.union_contract_terms where term_code = 'ALPA_Section_8.D'"),
    )
    key = interpretation[0]["id"]
    with closing(airline.target.connect()) as early:
        early.execute(
            "insert into rules.interpretation_contract_terms values (%s, %s, %s) on conflict do nothing",
            (airline.enterprise, key, term),
        )
        for score in (41, 42, 43):
            airline.do(
                "update rules.rule_interpretations set confidence_score = %s where id = %s", score, key
            )
            eventually(
                lambda s=score: airline.cypher("MATCH (n:Interpretation {enterprise: $e, id: $id}) RETURN n.confidence AS c", id=str(key)) == [{"c": s}],
                why="the later change arrives first",
            )  # fmt: skip
        eventually(lambda: airline.queue_depth() == 0, why="everything seen is acknowledged")
        early.commit()
    airline.agree()


def test_6_a_change_during_the_write_is_not_lost(airline: Any) -> None:
    """The same key changes after it was read and before it is acknowledged."""
    airline.crewpay("sync", "run", "--once")
    daemon = airline.daemon("after_neo4j_commit:stop@2")
    airline.change()
    eventually(lambda: state(daemon.process.pid) == "T", why="it stands before the acknowledgement")
    last = airline.change()
    daemon.signal(signal.SIGCONT)
    airline.agree()
    assert airline.cypher(TITLE, code="ALPA_Section_13.B") == [{"title": last}]


def test_6_a_late_commit_during_the_write_is_not_lost(airline: Any) -> None:
    """A transaction that took its number first commits after the daemon looked, and before it acknowledges a higher number."""
    airline.crewpay("sync", "run", "--once")
    with closing(airline.target.connect()) as early:
        early.execute(
            "update rules.union_contract_terms set term_title = 'Late' where term_code = 'ALPA_Section_5.A'"
        )
        daemon = airline.daemon("after_neo4j_commit:stop@2")
        airline.change()
        eventually(lambda: state(daemon.process.pid) == "T", why="it stands before the acknowledgement")
        early.commit()
    daemon.signal(signal.SIGCONT)
    airline.agree()
    assert airline.cypher(TITLE, code="ALPA_Section_5.A") == [{"title": "Late"}]


@pytest.mark.parametrize("seed", range(10 if LONG else 1))
def test_6_twenty_writers(airline: Any, seed: int) -> None:
    """Random writers that sleep, roll back, use savepoints, remove and put back, on rules and on what joins them."""
    airline.daemon()
    airline.agree()
    bulk(airline, 60, "W")
    stop = time.monotonic() + (10 if LONG else 4)

    def write(number: int) -> None:
        dice = random.Random(f"{seed}/{number}")  # noqa: S311
        with closing(airline.target.connect()) as conn:
            while time.monotonic() < stop:
                code = f"W_{dice.randint(1, 30)}"
                try:
                    conn.execute("savepoint s")
                    what = dice.random()
                    if what < 0.5:
                        conn.execute(
                            "update rules.union_contract_terms set term_title = %s where term_code = %s",
                            (str(dice.random()), code),
                        )
                    elif what < 0.6:
                        conn.execute("delete from rules.union_contract_terms where term_code = %s", (code,))
                    elif what < 0.75:
                        conn.execute(
                            "insert into rules.union_contract_terms (enterprise_id, term_code, term_category, term_title, term_text, effective_date, applies_to) "
                            "values (%s, %s, 'CREDIT', %s, 'Text', '2025-01-01', '{CAPTAIN}')", (airline.enterprise, code, str(dice.random())),
                        )  # fmt: skip
                    elif what < 0.9:
                        conn.execute(
                            "update rules.rule_interpretations set confidence_score = %s",
                            (dice.randint(0, 100),),
                        )
                    else:
                        conn.execute(
                            "insert into rules.interpretation_contract_terms select i.enterprise_id, i.id, t.id "
                            "from rules.rule_interpretations i, rules.union_contract_terms t where t.term_code = %s on conflict do nothing", (code,),
                        )  # fmt: skip
                    if dice.random() < 0.2:
                        conn.execute("rollback to s")
                    time.sleep(dice.random() * 0.05)
                    if dice.random() < 0.2:
                        conn.rollback()
                    else:
                        conn.commit()
                except psycopg.Error:
                    conn.rollback()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(20 if LONG else 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    airline.agree()


def test_7_an_idle_writer_stalls_nobody(airline: Any, server: Any) -> None:
    """An open write transaction, in this database and in another, holds up its own change only."""
    airline.daemon()
    airline.agree()
    with closing(airline.target.connect()) as here, closing(server.connect()) as elsewhere:
        here.execute(
            "update rules.union_contract_terms set term_title = 'Open' where term_code = 'ALPA_Section_5.A'"
        )
        elsewhere.execute("create temporary table idle ()")
        title = airline.change()
        eventually(
            lambda: airline.cypher(TITLE, code="ALPA_Section_13.B") == [{"title": title}], why="others go on"
        )
        eventually(lambda: airline.queue_depth() == 0)
        here.commit()
    airline.agree()
    assert airline.cypher(TITLE, code="ALPA_Section_5.A") == [{"title": "Open"}]


# ---- 8: poison ----------------------------------------------------------------------------------------------------------------------


def test_8_poison(airline: Any) -> None:
    """One key in many that Neo4j refuses, and one that waits for it: only they stand aside, and come back when the cause is gone."""
    airline.cypher("CREATE (:Rule {enterprise: $e, code: 'Bulk_777', note: 'made by hand'})")
    airline.daemon()
    airline.agree()
    bulk(airline, 10_000 if LONG else 1_000)
    airline.do(
        "insert into rules.interpretation_contract_terms select i.enterprise_id, i.id, t.id from rules.rule_interpretations i, "
        "rules.union_contract_terms t where t.term_code = 'Bulk_777' and i.id = (select min(id::text)::uuid from rules.rule_interpretations)"
    )
    eventually(lambda: airline.queue_depth() == 0, why="the others are applied")
    letters = {(r["entity"], r["state"]): r for r in airline.rows("select * from graph.dead_letters")}
    assert set(letters) == {("term", "refused"), ("interpretation", "waiting")}
    assert letters["term", "refused"]["key"] == "Bulk_777"
    assert "ConstraintValidationFailed" in letters["term", "refused"]["error_code"]
    assert airline.cypher(
        "MATCH (n:ContractTerm {enterprise: $e}) WHERE n.code STARTS WITH 'Bulk' RETURN count(*) AS n"
    ) == [{"n": (10_000 if LONG else 1_000) - 1}]
    assert airline.rows("select from ops.alerts where alert_key = 'graph.dead_letters' and state = 'OPEN'")
    listed = json.loads(airline.crewpay("sync", "dead", "list", "--json", code=1).stdout)["data"]
    assert [r["entity"] for r in listed] == ["term", "interpretation"]
    # A retry alone changes nothing; without the cause, the rule and what waited for it arrive.
    airline.crewpay("sync", "dead", "retry", "term", "Bulk_777")
    eventually(
        lambda: airline.one("select attempts from graph.dead_letters where entity = 'term'") == 2,
        why="it was tried again",
    )
    airline.cypher("MATCH (n:Rule {enterprise: $e, code: 'Bulk_777'}) DETACH DELETE n")
    airline.crewpay("sync", "dead", "retry")
    airline.agree()


# ---- 9: a long outage ------------------------------------------------------------------------------------------------------------------


def test_9_neo4j_away_for_long(airline: Any, neo4j_server: Any) -> None:
    """Writes go on for as long as it is away; nothing is put aside, and everything arrives when it is back."""
    daemon = airline.daemon()
    airline.agree()
    neo4j_server.stop()
    until = time.monotonic() + (600 if LONG else 5)
    count = 0
    while time.monotonic() < until:
        bulk(airline, 100, f"Outage_{count}")
        airline.change()
        count += 1
        time.sleep(0.2)
    daemon.saw("Neo4j is away")
    assert airline.one("select count(*) from graph.dead_letters") == 0
    assert airline.queue_depth() > 100
    assert airline.rows("select from graph.status")[0] is not None
    neo4j_server.start()
    airline.agree()
    assert daemon.running


# ---- 10: much at once (how fast: tests/bench) ---------------------------------------------------------------------------------------------


@pytest.mark.long
def test_10_much_at_once(airline: Any) -> None:
    airline.daemon()
    bulk(airline, 100_000)
    airline.agree(180)
    for _ in range(100):
        airline.do(
            "update rules.union_contract_terms set priority = priority + 1 where term_code like 'Bulk\\_1___'"
        )
    airline.agree()
    airline.do("delete from rules.union_contract_terms where term_code like 'Bulk\\_2____'")
    airline.agree()


# ---- 11: clocks ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("hours", [-1, 1])
def test_11_clock_skew(airline: Any, tmp_path: Path, hours: int) -> None:
    """The daemon's host is an hour off: only Postgres' clock counts."""
    (tmp_path / "sitecustomize.py").write_text(
        "import datetime, time\n"
        f"shift = {hours} * 3600\n"
        "real = time.time\n"
        "time.time = lambda: real() + shift\n"
        "class Shifted(datetime.datetime):\n"
        "    @classmethod\n"
        "    def now(cls, tz=None):\n"
        "        return datetime.datetime.fromtimestamp(time.time(), tz)\n"
    )
    first = airline.daemon(PYTHONPATH=str(tmp_path))
    airline.agree()
    second = airline.daemon(ready=False)
    airline.change()
    airline.agree()
    time.sleep(12)  # longer than a leader may be silent
    assert airline.one("select epoch from graph.links") == 1, "nobody took over from a leader that lives"
    first.kill()
    second.saw("leading with epoch 2")
    airline.change()
    airline.agree()


# ---- 12: Neo4j emptied ----------------------------------------------------------------------------------------------------------------------------


def test_12_wiped(airline: Any) -> None:
    """Somebody empties Neo4j: everything comes back, the curated part as it was in force."""
    airline.daemon()
    airline.agree()
    airline.cypher("MATCH (s:Scenario {enterprise: $e, id: 'red_eye_flight'}) SET s.description = 'Curated.'")
    eventually(lambda: airline.generation() == 1, why="a curator's edit")
    before = airline.there()
    wipe(airline.driver)
    eventually(lambda: airline.there() == before, why="it is all there again")
    airline.agree()
    assert airline.generation() == 1
    assert airline.cypher(
        "MATCH (s:Scenario {enterprise: $e, id: 'red_eye_flight'}) RETURN s.description AS d"
    ) == [{"d": "Curated."}]


@pytest.mark.long
def test_12_wiped_while_pushing(airline: Any) -> None:
    airline.daemon()
    airline.agree()
    before = airline.there()["curated"]
    for _ in range(5):
        bulk(airline, 5_000, f"Wipe_{random.random()}")  # noqa: S311
        time.sleep(0.3)
        wipe(airline.driver)
    airline.agree()
    assert airline.there()["curated"] == before


# ---- 13: a curator at work (refusals: test_backflow.py and tests/pgtap/graph) ------------------------------------------------------------------------


def test_13_no_generation_is_half_an_edit(airline: Any) -> None:
    """A curator's transactions each move many edges together; every generation has all of them or none."""
    airline.daemon()
    bulk(airline, 40, "Side")
    airline.agree()
    airline.cypher(
        "UNWIND ['odd', 'even'] AS id CREATE (:Scenario {enterprise: $e, id: id, name: id, level: 'leg', pattern: '{\"var\": \"cancelled\"}'})"
    )
    stop = time.monotonic() + (20 if LONG else 6)
    side = 0
    while time.monotonic() < stop:
        side = 1 - side
        airline.cypher(
            "MATCH (s:Scenario {enterprise: $e, id: $to}) MATCH (t:ContractTerm {enterprise: $e}) WHERE t.code STARTS WITH 'Side' OPTIONAL MATCH (t)-[r:APPLIES_TO]->(o:Scenario) "
            "WHERE o.id IN ['odd', 'even'] DELETE r WITH DISTINCT t, s CREATE (t)-[:APPLIES_TO]->(s)",
            to=("odd", "even")[side],
        )
        time.sleep(random.random() * 0.4)  # noqa: S311
    airline.agree()
    sides = airline.rows(
        "select generation, count(*) filter (where to_code = 'odd') as odd, count(*) filter (where to_code = 'even') as even "
        "from graph.edges where kind = 'APPLIES_TO' group by 1 having count(*) filter (where to_code in ('odd', 'even')) > 0"
    )
    assert len(sides) > 1
    assert {(s["odd"], s["even"]) for s in sides} <= {(40, 0), (0, 40)}


# ---- 14: a run during a swap: test_backflow.test_a_generation_waits_for_a_run_under_way -------------------------------------------------------------


# ---- 15: asked to stop; no room ---------------------------------------------------------------------------------------------------------------------


def test_15_asked_to_stop_under_load(airline: Any) -> None:
    airline.crewpay("sync", "run", "--once")
    for attempt in range(100 if LONG else 3):
        bulk(airline, 3_000 if LONG else 1_000, f"Load_{attempt}")
        daemon = airline.daemon(settled=False)
        daemon.stop()
        assert airline.one("select holder from graph.links") is None
    airline.daemon()
    airline.agree(180)


@pytest.mark.long
def test_15_no_room_in_postgres(airline: Any) -> None:
    """Postgres answers an acknowledgement with 53100 (disk full) for a while: the daemon waits, nothing is lost."""
    daemon = airline.daemon()
    airline.agree()
    airline.do(
        "create function graph.full() returns trigger language plpgsql as $$ begin raise exception using errcode = '53100', message = 'disk full'; end $$"
    )
    airline.do(
        "create trigger outbox_full before delete on graph.outbox for each statement execute function graph.full()"
    )
    airline.change()
    daemon.saw("the database is away")
    airline.do("drop trigger outbox_full on graph.outbox")
    airline.agree()
    assert daemon.running


@pytest.mark.long
def test_15_no_room_in_neo4j(airline: Any, neo4j_server: Any) -> None:
    """Transactions of Neo4j may use little memory: batches that don't fit are halved, nothing is put aside."""
    daemon = airline.daemon()
    airline.agree()
    neo4j_server.stop()
    with neo4j_server.configured("db.memory.transaction.max=3m"):
        neo4j_server.start()
        bulk(airline, 8_000)
        airline.agree()
        neo4j_server.stop()
    neo4j_server.start()
    airline.change()
    airline.agree()
    assert daemon.running


# ---- 16: what it finds at the start ------------------------------------------------------------------------------------------------------------------


def test_16_a_column_is_gone(airline: Any) -> None:
    """A database that isn't what the daemon knows is refused with the column's name, not worked around."""
    airline.do("alter table rules.faa_rules rename column rule_title to heading")
    done = airline.crewpay("sync", "run", code=4)
    assert "42703" in done.stderr
    assert "rule_title" in done.stderr
    assert airline.one("select holder from graph.links") is None


def test_16_a_constraint_is_missing(airline: Any) -> None:
    """It is made again; where what is there violates it, the daemon refuses to start and names it."""
    airline.crewpay("sync", "run", "--once")
    airline.cypher("DROP CONSTRAINT scenario_id")
    airline.cypher(
        "MATCH (s:Scenario {enterprise: $e, id: 'red_eye_flight'}) CREATE (d:Scenario) SET d = properties(s)"
    )
    done = airline.crewpay("sync", "run", code=3)
    assert "CP943" in done.stderr
    airline.cypher("MATCH (s:Scenario {enterprise: $e, id: 'red_eye_flight'}) WHERE NOT (s)--() DELETE s")
    airline.crewpay("sync", "run", "--once")
    assert airline.cypher("SHOW CONSTRAINTS YIELD name WHERE name = 'scenario_id' RETURN name")
    airline.agree()


# ---- 17: restored --------------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def restored(request: pytest.FixtureRequest, server: Any, tree: Any) -> Iterator[str]:
    name = scratch.own_name(tree, "restored")
    yield name
    scratch.drop(server, name)


def test_17_the_database_is_restored(airline: Any, server: Any, restored: str) -> None:
    """Postgres goes back to a backup while Neo4j went on: refused, until an operator says that the database counts."""
    airline.crewpay("sync", "run", "--once")
    airline.conn.close()
    with closing(server.connect(autocommit=True)) as conn:  # the backup: the database as it is now
        conn.execute(
            sql.SQL("create database {} template {}").format(
                sql.Identifier(restored), sql.Identifier(airline.target.dbname)
            )
        )
        conn.execute(sql.SQL("grant connect on database {} to crewpay_sync").format(sql.Identifier(restored)))
    airline.conn = airline.target.connect(autocommit=True)
    airline.change()
    bulk(airline, 20)
    airline.crewpay("sync", "run", "--once")
    airline.crewpay("sync", "run", "--once")
    airline.agree()

    airline.conn.close()
    airline.target = airline.target.with_(dbname=restored)
    airline.conn = airline.target.connect(autocommit=True)
    done = airline.crewpay("sync", "run", code=3)
    assert "CP942" in done.stderr
    airline.crewpay("sync", "adopt")
    left = airline.crewpay("sync", "reconcile", "--json", code=1)
    assert {(d["kind"], d["key"][:4]) for d in json.loads(left.stdout)["data"]} == {("extra", "Bulk")}
    airline.crewpay("sync", "reconcile", "--prune", code=1)
    airline.daemon()
    airline.agree()
    airline.conn.close()


@pytest.mark.long
def test_17_neo4j_is_restored(airline: Any, neo4j_server: Any) -> None:
    """Neo4j goes back to a backup while Postgres went on: what Postgres owns is made right again, without being asked."""
    airline.crewpay("sync", "run", "--once")
    backup = neo4j_server.folder / "data.backup"
    neo4j_server.stop()
    try:
        shutil.copytree(neo4j_server.folder / "data", backup)
        neo4j_server.start()
        daemon = airline.daemon()
        airline.change()
        airline.do("delete from rules.interpretation_faa_rules")
        bulk(airline, 20)
        airline.agree()
        neo4j_server.stop()
        neo4j_server.put_back(backup)
    finally:
        shutil.rmtree(backup, ignore_errors=True)
        neo4j_server.start()
    airline.agree(repaired=True)
    assert daemon.running
    assert daemon.log.read_text().count(" was ") > 20, "the comparison after the outage found them"
