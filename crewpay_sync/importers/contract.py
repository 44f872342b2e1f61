"""Loading a contract: terms, scenarios, components and edges from YAML, through the database's own function."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg.types.json import Jsonb

from crewpay_sync.output import USAGE, CrewPayError
from crewpay_sync.statements import query
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


class _Reader(yaml.SafeLoader):
    """YAML as contracts mean it: YAML 1.2's plain values, and no key twice.

    YAML 1.1 reads 4:30 as 270, 010 as 8, NO as false, and fails at 2013-02-30.
    """

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.composer.ComposerError(
                    "while reading a mapping", node.start_mark, f"{key.value} is there twice", key.start_mark
                )
            seen.add(key.value)
        return node


# Tag, form and first characters of the plain values that aren't text.
PLAIN: tuple[tuple[str, re.Pattern[str], list[str]], ...] = (
    ("null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    ("bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    ("int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789")),
    (
        "float",
        re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$"),
        list("-+.0123456789"),
    ),
    ("merge", re.compile(r"^<<$"), ["<"]),
)
_Reader.yaml_implicit_resolvers = {}  # none of the inherited ones
for _tag, _form, _first in PLAIN:
    _Reader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _form, _first)
_Reader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))


def _plain(value: Any) -> Any:
    """YAML values as JSON has them: keys are text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def read_contract(file: Path) -> dict[str, Any]:
    """The contract in the file; CP925 when it is none."""
    try:
        with file.open(encoding="utf-8") as text:
            contract = yaml.load(text, _Reader)  # noqa: S506  (a SafeLoader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise CrewPayError(
            "CP925",
            f"{file} can't be read",
            detail=str(error),
            hint="A contract is YAML or JSON in UTF-8: see docs/contracts.md, or print one with crewpay contract export.",
            exit_code=USAGE,
        ) from None
    if not isinstance(contract, dict) or not set(contract) & set(KEYS):
        raise CrewPayError(
            "CP925",
            f"{file} is no contract",
            detail=f"It is {_kind(contract)}.",
            hint=f"A contract is a mapping with {', '.join(KEYS)}: see docs/contracts.md, or print one with crewpay contract export.",
            exit_code=USAGE,
        )
    plain: dict[str, Any] = _plain(contract)
    return plain


def _kind(value: Any) -> str:
    """What a file holds that is no contract."""
    if isinstance(value, dict):
        return "a mapping with " + ", ".join(map(str, value))
    if isinstance(value, str):
        return "text, perhaps a table" if "," in value or ";" in value else "text"
    return {type(None): "empty", list: "a list"}.get(type(value), "a single value")


def load_contract(conn: psycopg.Connection[Any], enterprise_slug: str, file: Path | None = None) -> Any:
    """Loads a contract into an enterprise as its administrator; what rules.load_contract() answers."""
    contract = read_contract(file or sample_contract())
    with act_as(conn, enterprise_slug, "admin"), conn.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        row = cursor.execute(query("contract", "load"), (Jsonb(contract),)).fetchone()
    return row[0] if row else None
