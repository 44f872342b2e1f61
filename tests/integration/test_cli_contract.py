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

from crewpay_sync.cli.contract import as_yaml
from crewpay_sync.database import Target
from crewpay_sync.importers.contract import read_contract
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


TERM = "code: X_1, category: CREDIT, title: t, text: t, applies_to: [CAPTAIN], effective: 2013-03-01"
# What a file holds, the code, the exit code, and the place that is told.
BAD: dict[str, tuple[str | bytes | None, str, int, str]] = {
    "no file": (None, "CP925", 2, "No such file"),
    "empty": ("", "CP925", 2, "It is empty."),
    "a list": ("- 1\n", "CP925", 2, "It is a list."),
    "a table": ("code,category,title\nX_1,CREDIT,t\n", "CP925", 2, "perhaps a table"),
    "another mapping": ("term: [{code: X_1}]\n", "CP925", 2, "It is a mapping with term."),
    "an indentation": ("terms:\n  - code: X_1\n   category: CREDIT\n", "CP925", 2, "line 3, column 4"),
    "a tab": ("terms:\n\t- code: X_1\n", "CP925", 2, "line 2, column 1"),
    "an unknown anchor": ("terms: [{code: X_1, applies_to: *pilots}]\n", "CP925", 2, "line 1, column 33"),
    "half a JSON": ('{"terms": [{"code": "X_1"', "CP925", 2, "line 1, column 26"),
    "a key twice": (f"terms: [{{{TERM}, formula: {{type: minimum_duty, hours: 4, hours: 5}}}}]\n", "CP925", 2, "hours is there twice"),
    "a list as key": ("terms: [{? [a, b] : c}]\n", "CP925", 2, "line 1, column 12"),
    "a tag": ('terms: !!python/object/apply:os.system ["true"]\n', "CP925", 2, "line 1, column 8"),
    "Latin-1": (b"terms: [{title: \"Vuelo a\xe9reo\"}]\n", "CP925", 2, "position 24"),
    "an unknown part": ("terms: []\nsenarios: []\n", "CP202", 4, "at $.senarios"),
    "an unknown fact": (f"terms: [{{{TERM}, formula: {{type: minimum_duty, hours: 4, when: {{'==': [{{var: weather}}, bad]}}}}}}]\n", "CP203", 4, "at $.when.==[0]"),
    "a wrong type": (f"terms: [{{{TERM}, formula: {{type: minimum_duty, hours: four}}}}]\n", "CP204", 4, "at $.hours"),
    "a day that doesn't exist": (f"terms: [{{{TERM.replace('03-01', '02-30')}, formula: {{type: minimum_duty, hours: 4}}}}]\n", "CP202", 4, "at $.effective"),
    "two versions at once": (
        f"terms:\n  - {{{TERM}, expires: 2014-01-01, formula: {{type: minimum_duty, hours: 4}}}}\n"
        f"  - {{{TERM.replace('03-01', '06-01')}, expires: 2013-07-01, formula: {{type: minimum_duty, hours: 5}}}}\n",
        "CP207", 4, "at $.effective",
    ),
    "an edge to nowhere": ("edges: [{kind: APPLIES_TO, from: ALPA_Section_6.E, to: nowhere}]\n", "CP203", 4, "at $.to"),
    "an interpretation of nothing": ("interpretations: [{code: i, scenario: s, terms: [X_9], interpretation: x}]\n", "CP203", 4, "at $.terms[0]"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_with_a_file_is_told(
    crewpay: Crewpay, loaded: dict[str, Any], tmp_path: Path, name: str
) -> None:
    """Code, place and what to do, in one go; nothing of it stays."""
    text, code, exit_code, place = BAD[name]
    file = tmp_path / "contract.yaml"
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = crewpay("load", file)
    assert (done.returncode, done.stderr[:6]) == (exit_code, f"{code}:"), done.stderr
    assert place in done.stderr
    assert "\nHINT: " in done.stderr
    assert crewpay("diff", SAMPLE).returncode == 0


@pytest.mark.parametrize("command", [("diff",), ("test",), ("what-if", "--periods", "2013-01")])
@pytest.mark.parametrize("name", ["no file", "a table", "a wrong type"])
def test_every_command_that_reads_a_file_tells_it(
    crewpay: Crewpay, tmp_path: Path, command: tuple[str, ...], name: str
) -> None:
    text, code, exit_code, _ = BAD[name]
    file = tmp_path / "contract.yaml"
    if isinstance(text, str):
        file.write_text(text, encoding="utf-8")
    done = crewpay(*command, file)
    if command[0] == "what-if" and code == "CP204":
        code = "CP214"  # the sample has no pay periods here: that is found first
    assert (done.returncode, done.stderr[:6]) == (exit_code, f"{code}:"), done.stderr


def test_a_test_compiles_what_no_example_needs(
    crewpay: Crewpay, loaded: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "contract.yaml"
    file.write_text(str(BAD["an unknown fact"][0]), encoding="utf-8")
    assert crewpay("test", file).stderr.startswith("CP203: term X_1: ")
    file.write_text(
        file.read_text(encoding="utf-8").replace("weather", "crew.contract_type"), encoding="utf-8"
    )
    done = crewpay("test", file)
    assert (done.returncode, done.stderr[:17]) == (0, "the terms compile"), done.stderr


def test_plain_values_are_what_was_written(tmp_path: Path) -> None:
    """YAML 1.1 would read 270, 8, false and a date."""
    file = tmp_path / "contract.yaml"
    file.write_text(
        "terms: [{a: 4:30, b: 010, c: NO, d: 2013-03-01, e: 0.5, f: -3, g: true, h: ~}]\n", encoding="utf-8"
    )
    assert read_contract(file)["terms"] == [
        {"a": "4:30", "b": 10, "c": "NO", "d": "2013-03-01", "e": 0.5, "f": -3, "g": True, "h": None}
    ]


@pytest.mark.parametrize(
    "text",
    ["08", "41", "1e3", "4:30", "NO", "2013-03-01", "true", "~", "0.5", "<<", "", "1_000", "# no", "a: b"],
)
def test_text_is_exported_as_text(tmp_path: Path, text: str) -> None:
    file = tmp_path / "contract.yaml"
    document = {"terms": [{"code": text, "formula": {"type": "delay_pay", "codes": [text]}}]}
    file.write_text(as_yaml(document), encoding="utf-8")
    assert read_contract(file) == document


def test_the_compiled_statements_are_printed_and_explained(
    database: Target, crewpay: Crewpay, loaded: dict[str, Any]
) -> None:
    with closing(database.connect(autocommit=True)) as conn:
        conn.execute(
            """insert into pay.pay_periods (enterprise_id, start_date, end_date, pay_date)
               select id, '2012-01-01', '2012-01-31', '2012-02-10' from platform.enterprises where slug = 'paper'"""
        )
    done = crewpay("compile", "2012-01", "--position", "CAPTAIN")
    assert done.returncode == 0, done.stderr
    stages = [line[3:] for line in done.stdout.splitlines() if line.startswith("-- _")]
    assert (stages[0], stages[-2:]) == ("_zones", ["_lines", "_findings"])
    found = json.loads(crewpay("compile", "2012-01", "--position", "CAPTAIN", "--json").stdout)["data"]
    assert [row["name"] for row in found] == stages
    plan = crewpay("compile", "2012-01", "--position", "CAPTAIN", "--analyze").stdout
    assert plan.splitlines()[-1].startswith("Execution Time:")
    nobody = crewpay("compile", "2012-01", "--position", "PURSER")
    assert (nobody.returncode, "CAPTAIN, FIRST_OFFICER" in nobody.stderr) == (2, True)
    never = crewpay("compile", "2011-01", "--position", "CAPTAIN")
    assert (never.returncode, never.stderr[:6]) == (4, "CP214:")
