"""The tests find what they are for: each of six classic mistakes, made in a copy of the checkout, fails at least one of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GATE = """            gate = self.__dict__.setdefault("gate", {})
            late = [d for d in dirty if max(d.seqs) < gate.get((d.entity, d.key), 0)]
            if late:
                self.store.acknowledge(self.epoch, [seq for d in late for seq in d.seqs])
            dirty = [d for d in dirty if d not in late]
            gate.update({(d.entity, d.key): max(d.seqs) for d in dirty})
            failpoint("after_peek")
"""
MUTANTS = {
    "no fence": (
        "crewpay_sync/sync/statements.cypher",
        "WHERE s.epoch <= $epoch\n",
        "",
        "test_faults.py",
        "test_5_a_paused_leader_is_fenced",
    ),
    "acknowledged up to a number": (
        "sql/graph/queue.sql",
        "o.seq = s.seq\n    returning",
        "o.seq <= (select max(m.seq) from unnest(p_seqs) as m (seq))\n    returning",
        "test_faults.py",
        "test_6_a_late_commit_during_the_write_is_not_lost",
    ),
    "acknowledged by key": (
        "sql/graph/queue.sql",
        "o.seq = s.seq\n    returning",
        "(o.entity, o.key) in (select x.entity, x.key from graph.outbox as x where x.seq = any (p_seqs))\n    returning",
        "test_faults.py",
        "test_6_a_change_during_the_write_is_not_lost",
    ),
    "older numbers are stale": (
        "crewpay_sync/sync/forward.py",
        '            failpoint("after_peek")\n',
        GATE,
        "test_faults.py",
        "test_6_commits_out_of_order",
    ),
    "properties replaced, not added": (
        "crewpay_sync/sync/statements.cypher",
        "MERGE (n:Rule:ContractTerm {enterprise: $enterprise, code: row.key})\nSET n += row.properties",
        "MERGE (n:Rule:ContractTerm {enterprise: $enterprise, code: row.key})\nSET n = row.properties",
        "test_roundtrip.py",
        "test_changes_arrive_by_themselves",
    ),
    "what a commit is writing is not waited for": (
        "crewpay_sync/sync/backflow.py",
        "self.graph.rows(before)",
        "self.graph.rows()",
        "test_backflow.py",
        "test_a_bookmark_stands_for_one_state",
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_found(name: str, tmp_path: Path, neo4j_server: object) -> None:
    path, old, new, file, test = MUTANTS[name]
    copy = tmp_path / "checkout"
    shutil.copytree(
        ROOT,
        copy,
        ignore=shutil.ignore_patterns(
            ".git", ".venv", "__pycache__", ".hypothesis", ".mypy_cache", ".ruff_cache", ".pytest_cache"
        ),
    )
    text = (copy / path).read_text()
    assert text.count(old) == 1, f"{path} no longer has the line that {name} changes"
    (copy / path).write_text(text.replace(old, new))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            f"tests/graph/{file}",
            "-k",
            test,
        ],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "CREWPAY_TEST_LONG": "", "CREWPAY_TEST_PATIENCE": "60"},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 1, f"{name} was not found\n{done.stdout[-3000:]}"
    assert f"FAILED tests/graph/{file}::{test}" in done.stdout, done.stdout[-3000:]
