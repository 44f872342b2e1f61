"""Postgres to Neo4j: keys from the queue, their state read anew, written in fenced batches, acknowledged one by one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from crewpay_sync.sync.errors import Missing, Stopped, code_of, is_refusal, is_too_much
from crewpay_sync.sync.failpoints import failpoint
from crewpay_sync.sync.graph import Graph
from crewpay_sync.sync.model import ENTITIES, Dirty, Entity, Node
from crewpay_sync.sync.store import Store
from crewpay_sync.sync.watchdog import tell_systemd

log = logging.getLogger("crewpay.sync")
WINDOW = 20_000  # entries looked at together: a key that changed often is written once
BATCH = 2_000  # keys in one transaction of Neo4j
WHOLE = ":whole"  # a generation of which everything is pushed, not only what it changed


class Forward:
    """Works off the queue of one enterprise, under one epoch."""

    def __init__(self, store: Store, graph: Graph, epoch: int, stopping: Callable[[], bool]) -> None:
        self.store = store
        self.graph = graph
        self.epoch = epoch
        self.stopping = stopping

    def drain(self) -> int:
        """Everything that waits. Returns the number of keys applied; Stopped between two batches."""
        applied = 0
        while True:
            failpoint("before_peek")
            dirty = self.store.peek(WINDOW)
            failpoint("after_peek")
            if not dirty:
                return applied
            self._apply(dirty)
            applied += len(dirty)

    def _apply(self, dirty: list[Dirty]) -> None:
        """A window: rules before what requires them, removals last."""
        gone: dict[str, list[Dirty]] = {}
        for entity in ENTITIES.values():
            for batch, nodes in self._read_ahead(entity, [d for d in dirty if d.entity == entity.name]):
                present = [d for d in batch if d.key in nodes]
                gone.setdefault(entity.name, []).extend(d for d in batch if d.key not in nodes)
                self._attempt(present, partial(self._upsert, entity, nodes))
        for one in sorted((d for d in dirty if d.entity == "generation"), key=lambda d: _number(d.key)):
            self._attempt([one], self._push)
        for entity in reversed(list(ENTITIES.values())):
            for batch in _batches(gone.get(entity.name, [])):
                self._attempt(batch, partial(self._remove, entity))

    def _read_ahead(
        self, entity: Entity, dirty: Sequence[Dirty]
    ) -> Iterator[tuple[Sequence[Dirty], dict[str, Node]]]:
        """Batches with their state of now; while Neo4j writes one, Postgres reads the next. What changes after that has a later entry."""

        def read(batch: Sequence[Dirty]) -> dict[str, Node]:
            return {n.key: n for n in self.store.nodes(entity.name, [d.key for d in batch])}

        batches = list(_batches(dirty))
        if len(batches) < 2:
            for batch in batches:
                yield batch, read(batch)
            return
        with ThreadPoolExecutor(1) as reader:
            ahead = reader.submit(read, batches[0])
            for number, batch in enumerate(batches):
                nodes = ahead.result()
                if number + 1 < len(batches):
                    ahead = reader.submit(read, batches[number + 1])
                yield batch, nodes

    def _upsert(self, entity: Entity, nodes: dict[str, Node], some: Sequence[Dirty]) -> None:
        self.graph.upsert(self.epoch, entity, [nodes[d.key] for d in some])

    def _remove(self, entity: Entity, some: Sequence[Dirty]) -> None:
        self.graph.remove(self.epoch, entity, [d.key for d in some])

    def _push(self, some: Sequence[Dirty]) -> None:
        for one in some:
            rows = self.store.generation_rows(_number(one.key), whole=one.key.endswith(WHOLE))
            self.graph.push(self.epoch, rows)

    def _attempt(self, batch: Sequence[Dirty], action: Callable[[Sequence[Dirty]], None]) -> None:
        """Applies a batch. What Neo4j refuses is halved until the one key is found, which is put aside; an outage is raised."""
        if not batch:
            return
        if self.stopping():
            raise Stopped
        tell_systemd("WATCHDOG=1")  # a long queue is no stall
        failpoint("before_write")
        try:
            action(batch)
        except Exception as error:
            too_much = is_too_much(error) and len(batch) > 1
            if not (is_refusal(error) or too_much):
                raise
            if len(batch) > 1:
                middle = len(batch) // 2
                self._attempt(batch[:middle], action)
                self._attempt(batch[middle:], action)
                return
            state = "waiting" if isinstance(error, Missing) else "refused"
            log.warning("%s %s is put aside (%s): %s", batch[0].entity, batch[0].key, state, error)
            self.store.park(self.epoch, batch[0], state, code_of(error), str(error))
            return
        self.store.acknowledge(self.epoch, [seq for d in batch for seq in d.seqs])
        failpoint("after_ack")


def _number(key: str) -> int:
    return int(key.removesuffix(WHOLE))


def _batches(keys: Sequence[Dirty]) -> Iterable[Sequence[Dirty]]:
    for start in range(0, len(keys), BATCH):
        yield keys[start : start + BATCH]
