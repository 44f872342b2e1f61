"""What goes over the wire, and who owns it. The picture is in graph/model.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

EntityName = Literal["term", "faa_rule", "interpretation", "generation"]
Properties = dict[str, Any]


@dataclass(frozen=True)
class Entity:
    """A kind of node that Postgres owns."""

    name: EntityName
    labels: str
    key: str  # the property that identifies it within its enterprise
    columns: tuple[str, ...]  # the properties that are ours; others belong to curators and stay


_RULE = (
    "enterprise",
    "code",
    "title",
    "category",
    "text",
    "appliesTo",
    "priority",
    "source",
    "effectiveDate",
    "expirationDate",
    "formula",
)
FAA_RULE = Entity("faa_rule", "Rule:FaaRule", "code", _RULE)
TERM = Entity("term", "Rule:ContractTerm", "code", _RULE)
INTERPRETATION = Entity(
    "interpretation",
    "Interpretation",
    "id",
    ("enterprise", "id", "scenario", "interpretation", "example", "confidence", "validatedBy", "validatedAt"),
)
ENTITIES: Mapping[str, Entity] = {e.name: e for e in (FAA_RULE, TERM, INTERPRETATION)}


@dataclass(frozen=True)
class Dirty:
    """A key that changed, with the entries of the queue that say so."""

    entity: str
    key: str
    seqs: list[int]


@dataclass(frozen=True)
class Node:
    """A node as Postgres wants it."""

    key: str
    properties: Properties
    requires: list[str]


@dataclass(frozen=True)
class GraphRow:
    """A scenario, a component or an edge: what Neo4j owns, in the form in which it is compared."""

    kind: str
    from_code: str | None
    to_code: str | None
    properties: Properties
    problem: str | None = None

    def as_data(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "from_code": self.from_code,
            "to_code": self.to_code,
            "properties": self.properties,
            "problem": self.problem,
        }


@dataclass(frozen=True)
class Proposed:
    """What Postgres made of a reading."""

    state: Literal["accepted", "rejected", "unchanged", "deferred", "busy", "unstable"]
    generation: int | None
    findings: int


@dataclass(frozen=True)
class Enterprise:
    """A tenant that the daemon works for."""

    id: UUID
    slug: str
