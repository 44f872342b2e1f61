"""Both sides compared, value by value: hand edits, lost writes, restored backups. What differs is queued again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal

from crewpay_sync.sync.graph import PAGE, Found, Graph
from crewpay_sync.sync.model import ENTITIES, Entity, Node
from crewpay_sync.sync.store import Store


@dataclass(frozen=True)
class Difference:
    """A node that is not what Postgres says."""

    entity: str
    key: str
    kind: Literal["missing", "different", "extra", "rejected"]
    properties: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        return {
            "entity": self.entity,
            "key": self.key,
            "kind": self.kind,
            "properties": list(self.properties),
        }


def _wanted(entity: Entity, node: Node) -> Found:
    return node.key, tuple(node.properties.get(c) for c in entity.columns), node.requires


def _comparable(found: Found) -> tuple[tuple[Any, ...], list[Any]]:
    """Values, and what is required in one order: a curator may have drawn an edge to anything."""
    _, values, requires = found
    return values, sorted(requires, key=repr)


def suspects(store: Store, graph: Graph, entity: Entity, alive: Callable[[], None]) -> list[str]:
    """Keys whose nodes look different, from one pass over each side at once; of what one side alone has shown so far, a digest is kept."""
    waiting: dict[str, int] = {}
    different: list[str] = []
    lock = Lock()

    def show(page: Iterable[Found]) -> None:
        digests = [(found[0], hash(repr(_comparable(found)))) for found in page]
        with lock:
            for key, digest in digests:
                other = waiting.pop(key, None)
                if other is None:
                    waiting[key] = digest
                elif other != digest:
                    different.append(key)

    def wanted() -> None:
        for keys in store.keys(entity.name, PAGE):
            show(_wanted(entity, node) for node in store.nodes(entity.name, keys))

    with ThreadPoolExecutor(1) as reader:
        reading = reader.submit(wanted)
        for page in graph.all_nodes(entity):
            alive()
            show(page)
        reading.result()
    return different + list(waiting)


def confirm(store: Store, graph: Graph, entity: Entity, keys: list[str]) -> list[Difference]:
    """What really differs among the suspects, now that the queue is empty."""
    found: list[Difference] = []
    for start in range(0, len(keys), PAGE):
        page = keys[start : start + PAGE]
        wanted = {
            n.key: _comparable(_wanted(entity, n)) for n in store.nodes(entity.name, _possible(entity, page))
        }
        there = {found[0]: _comparable(found) for found in graph.some_nodes(entity, page)}
        for key in page:
            if key not in wanted and key in there:
                found.append(Difference(entity.name, key, "extra"))
            elif key in wanted and key not in there:
                found.append(Difference(entity.name, key, "missing"))
            elif key in wanted and wanted[key] != there[key]:
                (values, requires), (other_values, other_requires) = wanted[key], there[key]
                names = [
                    c
                    for c, a, b in zip(entity.columns, values, other_values, strict=True)
                    if (type(a), a) != (type(b), b)
                ]
                found.append(
                    Difference(
                        entity.name,
                        key,
                        "different",
                        tuple(names + (["REQUIRES"] if requires != other_requires else [])),
                    )
                )
    return found


def _possible(entity: Entity, keys: list[str]) -> list[str]:
    """Keys that Postgres can look up: an interpretation made by hand may have any id."""
    if entity.name != "interpretation":
        return keys
    return [k for k in keys if len(k) == 36 and all(c in "0123456789abcdef-" for c in k)]


def all_suspects(store: Store, graph: Graph, alive: Callable[[], None]) -> dict[str, list[str]]:
    """Suspects of every kind; `alive` is called now and then, for a leader that must not seem dead meanwhile."""
    return {entity.name: suspects(store, graph, entity, alive) for entity in ENTITIES.values()}
