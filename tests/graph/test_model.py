"""The rule graph in Neo4j: what is there, the document's queries as written, the named queries, airlines kept apart."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import neo4j
import pytest

from crewpay_sync.importers.contract import load_contract
from crewpay_sync.tenants import ensure_enterprise, ensure_login, ensure_standard_logins

ROOT = Path(__file__).resolve().parents[2]
# As the crew pay document writes them.
RULES = """MATCH (s:Scenario {id: 'delayed_flight_controllable'})
MATCH (r)-[:APPLIES_TO]->(s)
RETURN r.code, r.title, r.priority
ORDER BY r.priority DESC;"""
DEPENDENCIES = """MATCH (pc:PayComponent {type: 'overtime'})
MATCH path = (pc)-[:DEPENDS_ON*]->(dependency)
RETURN path;"""
CONFLICTS = """MATCH (r1:Rule)-[c:CONFLICTS_WITH]->(r2:Rule)
WHERE r1.appliesTo CONTAINS 'CAPTAIN'
RETURN r1.code, r2.code, c.resolutionMethod, c.notes;"""


def test_the_documents_queries_answer_as_written(airline: Any) -> None:
    airline.crewpay("sync", "run", "--once")
    assert airline.cypher(RULES) == [
        {"r.code": "ALPA_Section_13.B", "r.title": "Delay pay", "r.priority": 100}
    ]
    (path,) = airline.cypher(DEPENDENCIES)
    assert [n["type"] for n in path["path"].nodes] == ["overtime", "flight_pay"]
    assert {(r["r1.code"], r["r2.code"], r["c.resolutionMethod"]) for r in airline.cypher(CONFLICTS)} == {
        ("ALPA_Section_4.A", "ALPA_Section_6.E", "GREATEST"),
        ("ALPA_Section_12.C", "ALPA_Section_13.B", "ADDITIVE"),
    }
    assert all(r["c.notes"] for r in airline.cypher(CONFLICTS))
    # And they are the ones that crewpay graph query asks.
    for name, text in (
        ("document_rules_of_scenario", RULES),
        ("document_component_dependencies", DEPENDENCIES),
        ("document_conflicts", CONFLICTS),
    ):
        assert (ROOT / "graph" / "queries" / f"{name}.cypher").read_text().rstrip().endswith(text)


def test_both_sides_agree_after_the_first_run(airline: Any) -> None:
    airline.crewpay("sync", "run", "--once")
    airline.agree()
    assert airline.there()["rules"]["ALPA_Section_10.A"][1:3] == (
        100,
        "CAPTAIN,FIRST_OFFICER,CHECK_AIRMAN,LINE_CHECK_AIRMAN",
    )
    assert airline.cypher("MATCH (n:Rule) WHERE n.priority IS NULL RETURN n.code") == []
    assert airline.there()["regulations"]
    assert any(codes for _, codes in airline.there()["interpretations"].values())
    assert airline.generation() == 0, "what was pushed came back unchanged"
    done = airline.crewpay("sync", "reconcile", "--json")
    assert json.loads(done.stdout) == {"status": "ok", "data": [], "drift": 0}


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("rules_for_scenario", {"scenario": "red_eye_flight"}, [("code", "ALPA_Section_12.C")]),
        (
            "why_conflict",
            {"first": "ALPA_Section_6.E", "second": "ALPA_Section_4.A"},
            [("resolutionMethod", "GREATEST")],
        ),
        ("component_depends_on", {"component": "overtime"}, [("dependsOn", "flight_pay")]),
    ],
)
def test_named_queries(
    airline: Any, name: str, parameters: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    airline.crewpay("sync", "run", "--once")
    given = [part for k, v in parameters.items() for part in ("-p", f"{k}={v}")]
    data = json.loads(airline.crewpay("graph", "query", name, *given, "--json").stdout)["data"]
    for column, value in expected:
        assert value in [row[column] for row in data]


def test_terms_and_scenarios_that_nothing_uses(airline: Any) -> None:
    airline.crewpay("sync", "run", "--once")
    unused = json.loads(airline.crewpay("graph", "query", "unused_terms", "--json").stdout)["data"]
    served = {a for kind, a, _ in airline.wanted()["curated"] if kind == "APPLIES_TO"}
    assert {row["code"] for row in unused} == set(airline.wanted()["rules"]) - served
    airline.crewpay("graph", "query", "unserved_scenarios", code=1)
    airline.cypher(
        "CREATE (:Scenario {enterprise: $e, id: 'idle', name: 'Idle', level: 'leg', pattern: '{\"var\": \"cancelled\"}'})"
    )
    idle = json.loads(airline.crewpay("graph", "query", "unserved_scenarios", "--json").stdout)["data"]
    assert [row["id"] for row in idle] == ["idle"]
    airline.crewpay("graph", "query", "no_such", code=2)
    airline.crewpay("graph", "query", "rules_for_scenario", code=2)


def test_airlines_are_kept_apart(airline: Any) -> None:
    """The same contract of two airlines: the same codes, other nodes; an edge between them is refused."""
    other = ensure_enterprise(airline.conn, "other", "Other")
    ensure_standard_logins(airline.conn, other, "other")
    with closing(airline.target.connect(autocommit=True)) as conn:
        load_contract(conn, "other")
    ensure_login(airline.conn, airline.login, other, "sync")
    airline.crewpay("sync", "run", "--once")
    airline.agree()
    mine, others = (
        {
            r["code"]
            for r in airline.cypher(
                "MATCH (n:ContractTerm {enterprise: $of}) RETURN n.code AS code", of=str(of)
            )
        }
        for of in (airline.enterprise, other)
    )
    assert mine == set(airline.wanted()["rules"])
    assert others == {
        r["term_code"]
        for r in airline.rows(
            "select term_code from rules.union_contract_terms where enterprise_id = %s", other
        )
    }
    assert airline.cypher("MATCH (a)-[r]->(b) WHERE a.enterprise <> b.enterprise RETURN r") == []

    airline.cypher(
        "MATCH (t:ContractTerm {enterprise: $e}) MATCH (s:Scenario {enterprise: $of}) WITH t, s LIMIT 1 CREATE (t)-[:APPLIES_TO]->(s)",
        of=str(other),
    )
    done = airline.crewpay("sync", "backflow", "--enterprise", "avelo", "--json", code=1)
    assert [f["code"] for f in json.loads(done.stdout)["data"]["findings"]] == ["OTHER_ENTERPRISE"]
    airline.crewpay("sync", "backflow", "--enterprise", "other")
    assert airline.generation() == 0


def test_nothing_that_neo4j_will_drop(airline: Any) -> None:
    """Every statement of ours is planned without a warning of deprecation."""
    airline.crewpay("sync", "run", "--once")
    own = re.split(
        r"^// name: \w+\n", (ROOT / "crewpay_sync/sync/statements.cypher").read_text(), flags=re.MULTILINE
    )[1:]
    named = [p.read_text() for p in (ROOT / "graph" / "queries").glob("*.cypher")]
    assert len(own) > 20
    target = airline.neo4j
    with neo4j.GraphDatabase.driver(
        target.uri, auth=(target.user, target.password.get_secret_value())
    ) as driver:
        for text in own + named:
            names = set(re.findall(r"\$(\w+)", text))
            _, summary, _ = driver.execute_query(
                "EXPLAIN " + text, {n: [] if n in ("rows", "keys", "columns") else 1 for n in names}
            )
            told = [s for s in summary.gql_status_objects if s.classification == "DEPRECATION"]
            assert told == [], (text, told)
