"""`crewpay contract`, run as people run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from crewpay_sync.database import Target
from crewpay_sync.tenants import ensure_enterprise, ensure_standard_logins
from tests.tenants import add_airports

Crewpay = Callable[..., subprocess.CompletedProcess[str]]
SAMPLE = Path(str(resources.files("crewpay_sync").joinpath("samples", "contract.yaml")))


@pytest.fixture(scope="module")
def crewpay(database: Target) -> Crewpay:
    with closing(database.connect(autocommit=True)) as conn:
        tenant = ensure_enterprise(conn, "paper", "Paper Air")
        ensure_standard_logins(conn, tenant, "paper")
    environment = {**os.environ, "DATABASE_URL": database.conninfo, "DIRECT_URL": ""}

    def call(*args: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "crewpay_sync", "contract", *map(str, args)],
            env=environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    return call


@pytest.fixture(scope="module")
def loaded(crewpay: Crewpay) -> dict[str, Any]:
    done = crewpay("load", SAMPLE, "--json")
    assert done.returncode == 0, done.stderr
    data: dict[str, Any] = json.loads(done.stdout)["data"]
    return data


@pytest.fixture(scope="module")
def airports(database: Target) -> None:
    with closing(database.connect(autocommit=True)) as conn:
        add_airports(conn)


def changed_sample(tmp_path: Path) -> Path:
    document = yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))
    rig = next(t for t in document["terms"] if t["code"] == "ALPA_Section_6.E")
    rig["formula"]["ratio"] = 2
    file = tmp_path / "changed.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return file


def test_load_says_what_it_did_and_a_repeat_changes_nothing(crewpay: Crewpay, loaded: dict[str, Any]) -> None:
    terms = yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))["terms"]
    assert loaded == {"added": len(terms), "changed": 0, "unchanged": 0, "generation": 0}
    again = crewpay("load", SAMPLE, "--json")
    assert json.loads(again.stdout)["data"] == {**loaded, "added": 0, "unchanged": len(terms)}


def test_diff_tells_fields_and_has_an_exit_code(
    crewpay: Crewpay, loaded: dict[str, Any], tmp_path: Path
) -> None:
    same = crewpay("diff", SAMPLE)
    assert (same.returncode, same.stdout) == (0, "")
    differs = crewpay("diff", changed_sample(tmp_path))
    assert differs.returncode == 1
    assert differs.stdout == "changed  ALPA_Section_6.E from 2012-01-01\n           formula.ratio: 3 → 2\n"
    as_json = json.loads(crewpay("diff", changed_sample(tmp_path), "--json").stdout)
    assert as_json["status"] == "findings"
    assert as_json["data"] == [{
        "change": "changed", "part": "terms", "code": "ALPA_Section_6.E", "effective": "2012-01-01",
        "field": "formula.ratio", "old_value": 3, "new_value": 2,
    }]  # fmt: skip


def test_an_export_loaded_again_changes_nothing(
    crewpay: Crewpay, loaded: dict[str, Any], tmp_path: Path
) -> None:
    exported = crewpay("export")
    assert exported.returncode == 0, exported.stderr
    file = tmp_path / "exported.yaml"
    file.write_text(exported.stdout, encoding="utf-8")
    assert crewpay("diff", file).returncode == 0
    done = json.loads(crewpay("load", file, "--json").stdout)["data"]
    assert (done["added"], done["changed"], done["generation"]) == (0, 0, loaded["generation"])


def interpreted(tmp_path: Path, amount: float) -> Path:
    """A red-eye of 4:00 from 21:00: 3:00 of it between 22:00 and 06:00 pay half a rate more, 3 x 97.10 x 0.5 in the 14th year."""
    file = tmp_path / "interpreted.yaml"
    file.write_text(
        yaml.safe_dump({"interpretations": [{
            "code": "red-eye", "scenario": "A leg into the night.", "terms": ["ALPA_Section_12.C"],
            "interpretation": "Block inside 22:00 to 06:00 of the departure airport is paid half a rate more.", "confidence": 90,
            "example": {
                "position": "CAPTAIN", "base": "JFK", "month": "2013-01",
                "duties": [{"report": "2013-01-08 20:00", "release": "01:15", "legs": [{"leg": "JFK-MIA", "scheduled": "21:00-01:00"}]}],
                "lines": [{"term": "ALPA_Section_12.C", "quantity": 180, "amount": amount}],
            },
        }]}),
        encoding="utf-8",
    )  # fmt: skip
    return file


def test_examples_are_tried_before_and_after_loading(
    crewpay: Crewpay, loaded: dict[str, Any], tmp_path: Path, airports: None
) -> None:
    done = crewpay("test", interpreted(tmp_path, 145.65))
    assert (done.returncode, done.stdout) == (0, "holds  red-eye\n"), done.stderr
    wrong = crewpay("test", interpreted(tmp_path, 145.66), "--json")
    found = json.loads(wrong.stdout)
    assert (wrong.returncode, found["status"]) == (1, "findings")
    assert [(row["interpretation_code"], row["holds"], row["code"]) for row in found["data"]] == [
        ("red-eye", False, "CP222")
    ]
    assert json.loads(crewpay("test", "--json").stdout)["data"] == [], "nothing of it stays"
    file = interpreted(tmp_path, 145.65)
    assert crewpay("diff", file).returncode == 1
    assert json.loads(crewpay("load", file, "--json").stdout)["data"]["interpretations"] == 1
    assert json.loads(crewpay("load", file, "--json").stdout)["data"]["interpretations"] == 0
    assert crewpay("diff", file).returncode == 0
    assert crewpay("test").stdout == "holds  red-eye\n"


def test_a_refused_file_names_clause_and_place(
    crewpay: Crewpay, loaded: dict[str, Any], tmp_path: Path
) -> None:
    document = yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))
    document["terms"][-1]["formula"] = {"type": "minimum_duty", "hours": "four"}
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    refused = crewpay("load", file)
    assert refused.returncode == 4
    assert refused.stderr.startswith(f"CP204: term {document['terms'][-1]['code']}: ")
    assert "DETAIL: at $.hours" in refused.stderr
    assert crewpay("diff", SAMPLE).returncode == 0, "nothing of it stays"


def test_a_file_that_is_no_contract(crewpay: Crewpay, tmp_path: Path) -> None:
    file = tmp_path / "list.yaml"
    file.write_text("- 1\n", encoding="utf-8")
    done = crewpay("load", file)
    assert (done.returncode, done.stderr[:6]) == (2, "CP925:")
