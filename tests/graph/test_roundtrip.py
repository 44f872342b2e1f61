"""Changes of Postgres in Neo4j, and what belongs to curators left alone."""

from __future__ import annotations

import json
import secrets
import socket
import time
from typing import Any

import psycopg
import pytest

from tests.graph.harness import eventually


def title(airline: Any, code: str) -> str | None:
    found = airline.cypher(
        "MATCH (n:ContractTerm {enterprise: $e, code: $code}) RETURN n.title AS title", code=code
    )
    return found[0]["title"] if found else None


def test_changes_arrive_by_themselves(airline: Any) -> None:
    """New, changed and removed rules, terms and interpretations; a null that comes and goes; a curator's note that stays."""
    airline.daemon()
    airline.agree()
    airline.cypher(
        "MATCH (n:ContractTerm {enterprise: $e, code: 'ALPA_Section_13.B'}) SET n.note = 'ask Kim'"
    )
    new = airline.change("ALPA_Section_13.B")
    eventually(lambda: title(airline, "ALPA_Section_13.B") == new, why="the change arrives")
    assert airline.cypher("MATCH (n {enterprise: $e, code: 'ALPA_Section_13.B'}) RETURN n.note AS note") == [
        {"note": "ask Kim"}
    ]

    airline.do(
        "insert into rules.union_contract_terms (enterprise_id, term_code, term_category, term_title, term_text, effective_date, applies_to) "
        "select %s, 'Side_Letter_' || n, 'CREDIT', 'Letter ' || n, 'Text', '2025-01-01', '{CAPTAIN}' from generate_series(1, 50) n",
        airline.enterprise,
    )
    airline.do("update rules.faa_rules set rule_title = rule_title || ' (amended)'")
    airline.do("update rules.rule_interpretations set confidence_score = 55")
    airline.do("delete from rules.interpretation_faa_rules")
    airline.do("delete from rules.union_contract_terms where term_code = 'Side_Letter_7'")
    airline.do(
        "update rules.union_contract_terms set expiration_date = '2030-01-01' where term_code = 'Side_Letter_8'"
    )
    airline.agree()
    where = "MATCH (n {enterprise: $e, code: 'Side_Letter_8'}) RETURN n.expirationDate AS day"
    assert airline.cypher(where) == [{"day": "2030-01-01"}]
    airline.do(
        "update rules.union_contract_terms set expiration_date = null where term_code = 'Side_Letter_8'"
    )
    eventually(lambda: airline.cypher(where) == [{"day": None}], why="a null arrives")


def test_a_removed_rule_with_curated_edges_is_retired(airline: Any) -> None:
    airline.daemon()
    airline.agree()
    assert ("APPLIES_TO", "ALPA_Section_13.B", "delayed_flight_controllable") in airline.wanted()["curated"]
    airline.do(
        "update rules.union_contract_terms set superseded_at = now() where term_code = 'ALPA_Section_13.B'"
    )
    retired = "MATCH (n:Rule {enterprise: $e, retired: true}) RETURN n.code AS code"
    eventually(lambda: airline.cypher(retired) == [{"code": "ALPA_Section_13.B"}], why="it is retired")
    assert (
        len(
            airline.cypher(
                "MATCH (:Rule {enterprise: $e, code: 'ALPA_Section_13.B'})-[r:APPLIES_TO|CONFLICTS_WITH]-() RETURN r"
            )
        )
        == 2
    )
    eventually(lambda: airline.generation() == 1, why="its edges no longer count")
    airline.agree()
    # It comes back as it was.
    airline.do(
        "update rules.union_contract_terms set superseded_at = null where term_code = 'ALPA_Section_13.B'"
    )
    eventually(lambda: airline.generation() == 2, why="its edges count again")
    assert airline.cypher(retired) == []
    airline.agree()


def test_an_emptied_table_leaves_neo4j(airline: Any) -> None:
    """An operator can truncate, which no trigger of rows sees."""
    airline.daemon()
    airline.agree()
    assert airline.there()["interpretations"]
    airline.do("truncate rules.rule_interpretations cascade")
    airline.agree()
    assert airline.there()["interpretations"] == {}
    airline.do("truncate rules.union_contract_terms cascade")
    airline.do("delete from graph.edges where from_code not in (select rule_code from rules.faa_rules)")
    eventually(lambda: not airline.there()["rules"], why="terms leave, or are retired")


def test_hand_edits_are_found_and_put_back(airline: Any) -> None:
    airline.crewpay("sync", "run", "--once")
    airline.cypher(
        "MATCH (n:ContractTerm {enterprise: $e, code: 'ALPA_Section_5.A'}) SET n.priority = 1, n.title = 'Mine'"
    )
    airline.cypher("MATCH (n:ContractTerm {enterprise: $e, code: 'AFA_Section_9.A'}) SET n.priority = '100'")
    airline.cypher("MATCH (n:ContractTerm {enterprise: $e, code: 'AFA_Section_4.B'}) DETACH DELETE n")
    airline.cypher("MATCH (:Interpretation {enterprise: $e})-[r:REQUIRES]->() WITH r LIMIT 1 DELETE r")
    airline.cypher("CREATE (:Rule:ContractTerm {enterprise: $e, code: 'Invented'})")
    done = airline.crewpay("sync", "reconcile", "--json", code=1)
    found = {
        (d["key"], d["kind"], tuple(d["properties"]))
        for d in json.loads(done.stdout)["data"]
        if d["entity"] == "term"
    }
    assert found == {
        ("ALPA_Section_5.A", "different", ("title", "priority")),
        ("AFA_Section_9.A", "different", ("priority",)),
        ("AFA_Section_4.B", "missing", ()),
        ("Invented", "extra", ()),
    }
    assert [d["properties"] for d in json.loads(done.stdout)["data"] if d["entity"] == "interpretation"] == [
        ["REQUIRES"]
    ]
    # All but what was invented is repaired; that goes when it is asked for.
    again = airline.crewpay("sync", "reconcile", "--json", code=1)
    assert [d["key"] for d in json.loads(again.stdout)["data"]] == ["Invented"]
    airline.crewpay("sync", "reconcile", "--prune", code=1)
    airline.crewpay("sync", "reconcile")
    airline.agree()


def test_status_says_how_it_stands(airline: Any) -> None:
    airline.daemon()
    airline.agree()
    (row,) = json.loads(airline.crewpay("sync", "status", "--json").stdout)["data"]
    assert row["leader_alive"] is True
    assert (row["queue_depth"], row["dead_letters"], row["waiting_letters"], row["generation"]) == (
        0,
        0,
        0,
        0,
    )
    assert row["epoch"] == 1
    airline.crewpay("sync", "dead", "list")
    assert json.loads(airline.crewpay("sync", "backfill", "--json").stdout)["data"]["queued"] > 20
    airline.agree()


def test_writers_pay_nothing_where_nothing_is_connected(airline: Any) -> None:
    airline.change()
    assert airline.queue_depth() == 0


def test_stops_at_once_when_told(airline: Any) -> None:
    daemon = airline.daemon()
    airline.agree()
    began = time.monotonic()
    daemon.stop(5)
    assert time.monotonic() - began < 5
    assert airline.one("select holder from graph.links") is None


def test_tells_systemd_how_it_is(airline: Any) -> None:
    """Ready once, alive again and again as long as the loop turns (Neo4j away or not), stopping at the end."""
    name = f"crewpay-test-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{name}")
        systemd.settimeout(120)
        daemon = airline.daemon(NOTIFY_SOCKET=f"@{name}", uri="bolt://127.0.0.1:1", settled=False)
        assert systemd.recv(100) == b"READY=1"
        for _ in range(5):
            assert systemd.recv(100) == b"WATCHDOG=1"
        daemon.stop()
        said = [systemd.recv(100)]
        while said[-1] != b"STOPPING=1":
            said.append(systemd.recv(100))
        assert set(said) <= {b"WATCHDOG=1", b"STOPPING=1"}


def test_refuses_what_can_not_work(airline: Any) -> None:
    done = airline.crewpay("sync", "run", code=3, NEO4J_PASSWORD="wrong")
    assert "CP941" in done.stderr
    airline.do("delete from auth.principals where login = %s", airline.login)
    done = airline.crewpay("sync", "run", code=3)
    assert "CP922" in done.stderr


def test_only_the_daemons_role_reaches_the_queue(airline: Any) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), airline.conn.transaction():
        airline.conn.execute("set local session authorization avelo_payroll")
        airline.conn.execute("select graph.peek(1)")
