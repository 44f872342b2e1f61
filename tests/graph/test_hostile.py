"""What somebody with a login of Neo4j can do to the graph: refused with a reason, put back, or kept as it is. The daemon goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import neo4j.spatial
import neo4j.time
import pytest

from crewpay_sync.tenants import ensure_enterprise
from tests.graph.harness import eventually

TITLE = "MATCH (n:Rule {enterprise: $e, code: 'ALPA_Section_13.B'}) RETURN n.title AS title"
RED_EYE = "MATCH (s:Scenario {enterprise: $e, id: 'red_eye_flight'}) "
EDGE = "MATCH (:Rule {enterprise: $e})-[r:APPLIES_TO]->(:Scenario {id: 'red_eye_flight'}) "
# Names and values that a script of Cypher must neither lose nor run.
NAMES = {
    "a`b": "tick",
    "line\nbreak": "two\nlines",
    "\\u0060: 1}) DETACH DELETE a //": "escape \\u0060 \\u0027",
    "'quoted\"": "O'Hare \"ORD\" \\",
    "Flügel ✈ 😀": "Überführung 😀 \u2028",
    "_hidden": "kept, though nobody reads it",
}
VALUES = {
    "day": neo4j.time.Date(2026, 2, 28),
    "at": neo4j.time.DateTime(2026, 2, 28, 23, 59, 59, 123456789),
    "long": neo4j.time.Duration(months=1, days=2, seconds=3, nanoseconds=4),
    "where": neo4j.spatial.WGS84Point((11.78, 48.35)),
    "large": -(2**63),
    "tiny": 1.5e-300,
    "huge": 1e300,
    "list": ["a", "b"],
    "yes": True,
    "infinite": float("inf"),
}


def findings(airline: Any) -> set[str]:
    """Codes of what is wrong with the last reading; none: it was accepted."""
    return {
        r["code"]
        for r in airline.rows(
            "select f.code from graph.proposal_findings f where f.proposal = (select max(p.proposal) from graph.proposals p)"
        )
    }


def test_an_export_has_every_name_and_value(airline: Any, tmp_path: Path) -> None:
    """On an edge and on a scenario; as a script it runs nothing that a curator wrote into a name."""
    airline.daemon()
    airline.agree()
    airline.cypher(EDGE + "SET r += $p", p=NAMES | VALUES)
    airline.cypher(RED_EYE + "SET s += $p", p=NAMES | VALUES | {"type": "kept"})
    eventually(lambda: airline.generation() == 1, why="curators' properties don't matter to pay")
    file = tmp_path / "export.cypher"
    airline.crewpay("graph", "export", str(file))
    before = airline.there()
    edge, scenario = (
        airline.cypher(EDGE + "RETURN properties(r) AS p"),
        airline.cypher(RED_EYE + "RETURN properties(s) AS p"),
    )
    assert edge[0]["p"]["where"] == VALUES["where"]
    airline.cypher("MATCH (s:Scenario|PayComponent {enterprise: $e}) DETACH DELETE s")
    done = airline.crewpay("graph", "restore", str(file), "--json")
    assert json.loads(done.stdout)["data"]["generation"] == 1
    assert airline.there() == before
    assert airline.cypher(EDGE + "RETURN properties(r) AS p") == edge
    assert airline.cypher(RED_EYE + "RETURN properties(s) AS p") == scenario
    airline.agree()


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (RED_EYE + "SET s.name = 'a' + $zero", "UNREADABLE"),
        (EDGE + "SET r.note = ['a', 'b' + $zero]", "UNREADABLE"),
        (RED_EYE + "CREATE (s)-[:DEPENDS_ON]->(s)", "WRONG_END"),
        (RED_EYE + "CREATE (:Scenario {enterprise: $e, id: $long, name: 'x', level: 'leg', pattern: s.pattern})", "TOO_LONG"),
        (RED_EYE + "SET s.pattern = $deep", "BAD_PATTERN"),
        (RED_EYE + "SET s.pattern = '1e999999'", "BAD_PATTERN"),
        (RED_EYE + "SET s.pattern = 1.5", "DOES_NOT_COMPILE"),
    ],
)
def test_what_can_not_be_read_is_refused(airline: Any, edit: str, code: str) -> None:
    """The reason is reported, the last generation stays in force, changes still go forward, and undone it is well again."""
    daemon = airline.daemon()
    airline.agree()
    (was,) = airline.cypher(RED_EYE + "RETURN properties(s) AS p")
    airline.cypher(edit, zero="\0", long="x" * 5000, deep="[" * 20000 + "]" * 20000)
    eventually(lambda: findings(airline) == {code}, why=f"it is refused: {code}")
    assert airline.generation() == 0
    title = airline.change()
    eventually(lambda: airline.cypher(TITLE) == [{"title": title}], why="changes go forward")
    airline.cypher(RED_EYE + "SET s = $was WITH s MATCH (s)-[r:DEPENDS_ON]->() DELETE r", was=was["p"])
    airline.cypher(EDGE + "SET r = {}")
    airline.cypher("MATCH (x:Scenario) WHERE size(x.id) > 1000 DELETE x")
    alert = "select from ops.alerts where alert_key = 'graph.rejected' and state = 'OPEN'"
    eventually(lambda: not airline.rows(alert), why="it is well again")
    assert daemon.running
    airline.agree()


@pytest.mark.parametrize(
    "damage",
    [
        "SET s.epoch = 'none'",
        "SET s.epoch = 0.0 / 0.0",
        "SET s.epoch = 9223372036854775807",
        "SET s.batch = true",
        "SET s.enterprise = 'another'",
        "DELETE s",
    ],
)
def test_a_damaged_mark_of_the_leader(airline: Any, damage: str) -> None:
    """What the daemon keeps in Neo4j for itself is no number a database has counted to, or is gone: it is made again."""
    daemon = airline.daemon()
    airline.agree()
    airline.cypher("MATCH (s:CrewPaySync {enterprise: $e}) " + damage)
    title = airline.change()
    eventually(lambda: airline.cypher(TITLE) == [{"title": title}], why="changes go forward")
    assert daemon.running
    airline.agree()
    mark = airline.cypher("MATCH (s:CrewPaySync {enterprise: $e}) RETURN s.epoch AS epoch")
    assert mark == [{"epoch": airline.one("select epoch from graph.links")}]


def test_a_rule_is_not_retired_by_hand(airline: Any) -> None:
    """Postgres says which rules there are: the edges of one that somebody marks as retired count on, and the mark is put back."""
    airline.daemon()
    airline.agree()
    airline.cypher("MATCH (n:Rule {enterprise: $e, code: 'ALPA_Section_13.B'}) SET n.retired = true")
    airline.cypher(RED_EYE + "SET s.description = 'Read after that.'")
    eventually(lambda: airline.generation() == 1, why="the state with the mark is read")
    edges = "select from graph.edges where from_code = 'ALPA_Section_13.B' and kind = 'APPLIES_TO' and generation = 1"
    assert len(airline.rows(edges)) == 1
    airline.crewpay("sync", "reconcile", code=1)
    assert airline.cypher("MATCH (n:Rule {enterprise: $e, retired: true}) RETURN n") == []
    airline.agree()


def test_a_forged_enterprise(airline: Any) -> None:
    """Nodes that claim to be another airline's don't become ours, and what was ours is missed."""
    other = str(ensure_enterprise(airline.conn, "other", "Other"))
    airline.daemon()
    airline.agree()
    # A rule and a scenario of another airline: their edges say nothing here.
    airline.cypher(
        "MATCH (s:Scenario {enterprise: $e, id: 'red_eye_flight'}) CREATE (r:Rule:ContractTerm {enterprise: $o, code: 'ALPA_Section_8.D', priority: 0}) "
        "CREATE (r)-[:APPLIES_TO]->(:Scenario {enterprise: $o, id: 'red_eye_flight', name: 'Mine', level: 'leg', pattern: 'true'}) "
        "CREATE (r)-[:APPLIES_TO]->(s) CREATE (:Scenario {id: 'nobodys'})",
        o=other,
    )
    done = airline.crewpay("sync", "backflow", "--json")
    assert json.loads(done.stdout)["data"]["state"] == "unchanged"
    # Our edge into theirs is refused; a rule of ours that was given away is missing, and made again.
    airline.cypher(
        "MATCH (r:Rule {enterprise: $e, code: 'ALPA_Section_8.D'}), (s:Scenario {enterprise: $o}) CREATE (r)-[:APPLIES_TO]->(s)",
        o=other,
    )
    eventually(lambda: findings(airline) == {"OTHER_ENTERPRISE"}, why="it is refused")
    airline.cypher("MATCH (:Rule {enterprise: $e})-[r]->({enterprise: $o}) DELETE r", o=other)
    airline.cypher("MATCH (r:Rule {enterprise: $e, code: 'AFA_Section_4.B'}) SET r.enterprise = $o", o=other)
    found = json.loads(airline.crewpay("sync", "reconcile", "--json", code=1).stdout)["data"]
    assert [(d["key"], d["kind"]) for d in found] == [("AFA_Section_4.B", "missing")]
    assert airline.generation() == 0
    airline.agree()
