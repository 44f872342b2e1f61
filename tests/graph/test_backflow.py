"""What a curator does in Neo4j decides pay: accepted whole, refused whole, exported and restored."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crewpay_sync.sync.backflow import Backflow
from crewpay_sync.sync.graph import Graph
from crewpay_sync.sync.store import Store, open_session
from tests.graph.harness import eventually

EDGE = (
    "MATCH (t:ContractTerm {enterprise: $e, code: 'ALPA_Section_8.D'}), (s:Scenario {enterprise: $e, id: 'international'}) "
    "CREATE (t)-[:APPLIES_TO]->(s)"
)
SCENARIO = (
    "CREATE (:Scenario {enterprise: $e, id: 'international', name: 'Long trip', level: 'trip', "
    'pattern: \'{">": [{"var": "tafb"}, 900]}\', description: \'The trip is longer than fifteen hours.\'})'
)


def run(airline: Any) -> dict[str, Any]:
    """A run of the open period by payroll; its row."""
    with airline.conn.transaction():
        airline.conn.execute("set local session authorization avelo_payroll")
        airline.conn.execute("select pay.run(enterprise_id, id) from pay.pay_periods where status = 'OPEN'")
    (row,) = airline.rows(
        "select * from pay.pay_runs where state = 'published' and kind = 'REGULAR' order by finished_at desc limit 1"
    )
    return dict(row)


def lines(airline: Any, code: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = airline.rows(
        "select l.* from pay.pay_lines l join pay.pay_periods p on p.id = l.pay_period_id where p.status = 'OPEN' and l.term_code = %s",
        code,
    )
    return found


def test_an_edge_changes_the_next_runs_lines(airline: Any) -> None:
    """Acceptance: within two seconds of the edit the generation is in force; the next run pays by it, and explain says why."""
    airline.daemon()
    airline.agree()
    assert run(airline)["graph_generation"] == 0
    before = lines(airline, "ALPA_Section_8.D")
    assert before

    airline.cypher(SCENARIO)
    eventually(lambda: airline.generation() == 1, why="the scenario is read")
    began = time.monotonic()
    airline.cypher(EDGE)
    eventually(lambda: airline.generation() == 2, why="the edge is read")
    took = time.monotonic() - began
    print(f"edit to generation: {took:.2f} s")

    assert run(airline)["graph_generation"] == 2
    after = lines(airline, "ALPA_Section_8.D")
    assert 0 < len(after) < len(before), "only trips longer than fifteen hours are paid per diem now"
    assert sum(line["amount"] for line in after) < sum(line["amount"] for line in before)
    paid = after[0]
    with airline.conn.transaction():
        airline.conn.execute("set local session authorization avelo_payroll")
        reasons = airline.rows(
            "select heading, arithmetic from pay.explain(%s, %s) where term_code = 'ALPA_Section_8.D' and outcome = 'reason'",
            paid["crew_member_id"],
            paid["pay_period_id"],
        )
    assert [r["arithmetic"] for r in reasons] == [
        "applies to Long trip (international): The trip is longer than fifteen hours."
    ]


def test_a_cycle_is_refused_and_pay_goes_on(airline: Any) -> None:
    airline.daemon()
    airline.agree()
    airline.cypher(
        "MATCH (a:PayComponent {enterprise: $e, type: 'overtime'})-[:DEPENDS_ON]->(b:PayComponent) CREATE (b)-[:DEPENDS_ON]->(a)"
    )
    eventually(
        lambda: airline.rows("select * from graph.proposals where state = 'rejected'"), why="it is rejected"
    )
    assert {r["code"] for r in airline.rows("select code from graph.proposal_findings")} == {"CYCLE"}
    (alert,) = airline.rows(
        "select severity, detail from ops.alerts where alert_key = 'graph.rejected' and state = 'OPEN'"
    )
    assert alert["severity"] == "HIGH"
    assert airline.generation() == 0
    assert run(airline)["graph_generation"] == 0
    status = json.loads(airline.crewpay("sync", "status", "--json").stdout)["data"][0]
    assert (status["last_proposal"], status["last_proposal_findings"], status["generation"]) == (
        "rejected",
        1,
        0,
    )
    # The curator takes it back: nothing was lost, and the alert is gone.
    airline.cypher(
        "MATCH (:PayComponent {type: 'flight_pay'})-[r:DEPENDS_ON]->(:PayComponent {type: 'overtime'}) DELETE r"
    )
    eventually(
        lambda: (
            not airline.rows("select * from ops.alerts where alert_key = 'graph.rejected' and state = 'OPEN'")
        ),
        why="the alert is cleared",
    )
    assert airline.generation() == 0
    airline.agree()


def test_a_generation_waits_for_a_run_under_way(airline: Any) -> None:
    """A run reads one generation from its first group to its last: the next is accepted when it has finished."""
    airline.daemon()
    airline.agree()
    with airline.target.connect() as payroll:
        payroll.execute("set session authorization avelo_payroll")
        payroll.execute("select pay.run(enterprise_id, id) from pay.pay_periods where status = 'OPEN'")
        airline.cypher(SCENARIO)
        daemon = airline.daemons[0]
        until = time.monotonic() + 2.5  # two probes: there is no event for what must not happen
        while time.monotonic() < until:
            assert airline.generation() == 0
            time.sleep(0.1)
        assert daemon.running
        payroll.commit()
    eventually(lambda: airline.generation() == 1, why="it is accepted then")
    airline.agree()


def test_a_contract_loaded_here_is_pushed_first(airline: Any) -> None:
    """Scenarios and edges of a contract document go to Neo4j; what a curator changed meanwhile stays."""
    airline.daemon()
    airline.agree()
    airline.cypher(
        "MATCH (s:Scenario {enterprise: $e, id: 'red_eye_flight'}) SET s.description = 'By a curator.'"
    )
    eventually(lambda: airline.generation() == 1, why="the curator's edit")
    airline.do(
        """
        do $$
        declare v_enterprise uuid := (select id from platform.enterprises where slug = 'avelo');
        begin
          perform rules.load_graph(v_enterprise, '{"scenarios": [{"id": "from_contract", "name": "New", "level": "leg",
            "pattern": {">": [{"var": "block"}, 100]}}], "edges": [{"kind": "APPLIES_TO", "from": "ALPA_Section_8.D", "to": "from_contract"}]}');
        end $$"""
    )
    eventually(
        lambda: airline.cypher(
            "MATCH (:Rule {code: 'ALPA_Section_8.D'})-[:APPLIES_TO]->(s {id: 'from_contract'}) RETURN s.name"
        ),
        why="it arrives in Neo4j",
    )
    airline.agree()
    assert airline.generation() == 2, "what was pushed came back unchanged"
    assert airline.cypher("MATCH (s:Scenario {id: 'red_eye_flight'}) RETURN s.description AS d") == [
        {"d": "By a curator."}
    ]


def test_export_and_restore(airline: Any, tmp_path: Path) -> None:
    """The daemon exports daily; the script puts the graph back, in Neo4j's own shell as well as here."""
    airline.daemon()
    airline.agree()
    airline.cypher(
        "MATCH (a:ContractTerm {enterprise: $e, code: 'ALPA_Section_10.A'}), (b:ContractTerm {enterprise: $e, code: 'ALPA_Section_5.A'}) "
        "CREATE (a)-[:SUPERSEDES {since: 'O''Hare \\\\ \"2020\"'}]->(b)".replace("O''Hare", "O\\'Hare")
    )
    exports = eventually(lambda: list((tmp_path / "exports").glob("avelo-*.cypher")), why="the first export")
    assert exports[0].stat().st_mode & 0o77 == 0
    file = tmp_path / "now.cypher"
    airline.crewpay("graph", "export", str(file))
    before, notes = airline.there(), airline.cypher("MATCH ()-[r:SUPERSEDES]->() RETURN r.since AS since")
    assert len(notes) == 1

    # Somebody deletes half of it: refused, reported, and the last good generation stays.
    airline.cypher("MATCH (s:Scenario {enterprise: $e}) DETACH DELETE s")
    eventually(
        lambda: airline.rows("select * from graph.proposal_findings where code = 'SHRINK'"),
        why="the shrink is refused",
    )
    assert airline.generation() == 0
    done = airline.crewpay("graph", "restore", str(file), "--json")
    assert json.loads(done.stdout)["data"]["state"] == "unchanged"
    assert airline.there() == before
    assert airline.cypher("MATCH ()-[r:SUPERSEDES]->() RETURN r.since AS since") == notes
    airline.agree()

    # The script alone, statement by statement, as a Cypher shell would run it.
    airline.cypher("MATCH (s:Scenario|PayComponent {enterprise: $e}) DETACH DELETE s")
    airline.cypher("MATCH (:Rule {enterprise: $e})-[r:CONFLICTS_WITH|SUPERSEDES]->() DELETE r")
    for line in file.read_text().splitlines():
        if not line.startswith("//"):
            airline.cypher(line.rstrip(";"))
    assert airline.there() == before
    airline.agree()


@pytest.mark.parametrize("days", [29, 31])
def test_exports_are_kept_for_thirty_days(airline: Any, tmp_path: Path, days: int) -> None:
    from datetime import UTC, datetime, timedelta

    folder = tmp_path / "exports"
    folder.mkdir()
    old = folder / f"avelo-{datetime.now(UTC) - timedelta(days=days):%Y%m%dT%H%M%SZ}.cypher"
    old.write_text("// old\n")
    others = folder / "other-20200101T000000Z.cypher"
    others.write_text("// another enterprise's\n")
    airline.crewpay("sync", "run", "--once")
    assert old.exists() == (days < 30)
    assert others.exists()


def test_a_bookmark_stands_for_one_state(airline: Any) -> None:
    """Neo4j's bookmark changes before a large commit can be seen: what is read by it is never the state before, nor half of it."""
    airline.crewpay("sync", "run", "--once")
    graph = Graph(airline.driver, str(airline.enterprise))
    many = 5000
    writes = (
        f"UNWIND range(1, {many}) AS n CREATE (:Scenario {{enterprise: $e, id: 'Bulk_' + n, name: 'Bulk'}})",
        "MATCH (s:Scenario {enterprise: $e, name: 'Bulk'}) DELETE s",
    )
    few = len(graph.rows())
    readings: list[tuple[str, int]] = []

    def curate() -> None:
        for text in writes * 8:
            airline.cypher(text)
            known = len(readings)
            eventually(lambda k=known: len(readings) > k + 1, why="the state is read")

    with closing(open_session(airline.sync_target())) as conn, ThreadPoolExecutor(1) as curator:
        backflow = Backflow(Store(conn), graph, 0)
        curating = curator.submit(curate)
        while not curating.done():
            if read := backflow.read():
                readings.append((read[0], len(read[1])))
        curating.result()
    assert {size for _, size in readings} == {few, few + many}
    states = dict(readings)
    assert [r for r in readings if states[r[0]] != r[1]] == []
