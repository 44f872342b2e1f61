"""Loading a contract: terms, scenarios, components and edges from YAML, through the database's own function."""

from __future__ import annotations

import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg.types.json import Jsonb

from crewpay_sync.importers.queries import query
from crewpay_sync.output import USAGE, CrewPayError
from crewpay_sync.tenants import act_as

# The parts of a contract document, and what a row of each holds, in the order in which it is written.
KEYS = {
    "terms": (
        "code",
        "category",
        "title",
        "text",
        "applies_to",
        "effective",
        "expires",
        "priority",
        "formula",
    ),
    "scenarios": ("id", "name", "level", "pattern", "description"),
    "components": ("type", "name", "order"),
    "edges": ("kind", "from", "to", "properties"),
    "interpretations": ("code", "scenario", "faa_rules", "terms", "interpretation", "confidence", "example"),
}


def sample_contract() -> Path:
    """The contract that comes with the package."""
    return Path(str(resources.files("crewpay_sync").joinpath("samples", "contract.yaml")))


def _plain(value: Any) -> Any:
    """YAML values as JSON has them: dates as text, keys as text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    return value


def read_contract(file: Path) -> dict[str, Any]:
    """The contract in the file; CP925 when it is none."""
    try:
        contract = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CrewPayError("CP925", f"{file} can't be read", detail=str(error), exit_code=USAGE) from None
    if not isinstance(contract, dict) or not set(contract) & set(KEYS):
        raise CrewPayError(
            "CP925",
            f"{file} is no contract",
            hint=f"It is a mapping with {', '.join(KEYS)}.",
            exit_code=USAGE,
        )
    plain: dict[str, Any] = _plain(contract)
    return plain


def load_contract(conn: psycopg.Connection[Any], enterprise_slug: str, file: Path | None = None) -> Any:
    """Loads a contract into an enterprise as its administrator; what rules.load_contract() answers."""
    contract = read_contract(file or sample_contract())
    with act_as(conn, enterprise_slug, "admin"), conn.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        row = cursor.execute(query("contract", "load"), (Jsonb(contract),)).fetchone()
    return row[0] if row else None
