"""The project's own lint scripts find what they are for."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

LINT = Path(__file__).resolve().parents[1] / "lint"


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(LINT))
    spec = importlib.util.spec_from_file_location(name, LINT / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("-----BEGIN RSA " + "PRIVATE KEY-----", "private key"),
        ("url: postgresql://app:" + "Tr0ub4dor@db.example.com/x", "password in a URL"),
        ("key = AKIA" + "A" * 16, "AWS key"),
        ("NEO4J_" + "PASSWORD=correcthorse", "password assigned"),
    ],
)
def test_secrets_are_found_and_not_repeated(line: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = load("secrets_scan", monkeypatch)
    assert scan.findings(Path("notes.txt"), f"harmless\n{line}\n") == [f"notes.txt:2: {name}"]


@pytest.mark.parametrize(
    "line", ["postgresql://user:password@host/db", "NEO4J_PASSWORD=", "postgresql://u:$PW@h/db"]
)
def test_examples_are_no_secrets(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load("secrets_scan", monkeypatch).findings(Path("notes.txt"), line) == []


def test_an_allowed_finding_needs_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    allowlist = load("allowlist", monkeypatch)
    file = tmp_path / "x.allow"
    file.write_text("a.f(): warning: text  # it is meant so\n")
    assert allowlist.read(file) == {"a.f(): warning: text": "it is meant so"}
    assert allowlist.report({"a.f(): warning: text"}, file) == 0
    assert allowlist.report(set(), file) == 1
    file.write_text("a.f(): warning: text\n")
    with pytest.raises(SystemExit):
        allowlist.read(file)


def test_pgspot_finds_a_definer_without_search_path(monkeypatch: pytest.MonkeyPatch) -> None:
    scan = load("pgspot_baseline", monkeypatch).scan
    bad = "create function a.f() returns int language sql security definer as $$ select 1 $$"
    assert any(issue.startswith("PS003") for issue in scan(bad, plpgsql=True))
