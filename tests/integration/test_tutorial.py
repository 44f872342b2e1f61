"""docs/tutorial.md: its commands are run, and its excerpts are those of the agreement's file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import pytest

from crewpay_sync.database import Target
from crewpay_sync.settings import ROOT
from crewpay_sync.statements import query
from crewpay_sync.tenants import ensure_enterprise, ensure_login, stable_id
from tests.integration.test_guides import CONSOLE, WRITE, as_run, environment  # noqa: F401  (a fixture)

TUTORIAL = ROOT / "docs" / "tutorial.md"


@pytest.fixture(scope="module")
def deputy(database: Target, environment: dict[str, str]) -> Iterator[str]:  # noqa: F811
    """A second administrator of the airline."""
    with closing(database.connect(autocommit=True)) as conn:
        tenant, user = ensure_enterprise(conn, "mq", "Envoy Air"), stable_id("user", "mq", "deputy")
        conn.execute(
            query("tenants", "user"),
            (tenant, user, "deputy@mq.example", "Deputy", stable_id("person", "mq", "deputy")),
        )
        yield ensure_login(conn, "mq_deputy", tenant, "admin", user=user)


def test_commands_print_what_the_tutorial_shows(environment: dict[str, str], deputy: str) -> None:  # noqa: F811
    text = TUTORIAL.read_text(encoding="utf-8")
    fresh = CONSOLE.sub(lambda block: f"```console\n{as_run(block[1], environment)}```", text)
    if WRITE:
        TUTORIAL.write_text(fresh, encoding="utf-8")
    else:
        assert text == fresh, "run: CREWPAY_WRITE_GUIDES=1 pytest tests/integration/test_tutorial.py"


def test_excerpts_are_of_the_file() -> None:
    text = TUTORIAL.read_text(encoding="utf-8")
    file = (ROOT / "docs" / "tutorial-agreement.yaml").read_text(encoding="utf-8")
    excerpts = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(excerpts) >= 3
    for excerpt in excerpts:
        assert excerpt in file
