"""Neo4j to Postgres: one state of the curated graph, read between two equal bookmarks, proposed as the next generation."""

from __future__ import annotations

import logging
import time

from crewpay_sync.sync.errors import Fenced, Wiped
from crewpay_sync.sync.failpoints import failpoint
from crewpay_sync.sync.graph import Graph
from crewpay_sync.sync.model import GraphRow, Proposed
from crewpay_sync.sync.store import Store

log = logging.getLogger("crewpay.sync")
TRIES = 5


class Backflow:
    """Watches one enterprise's curated graph, under one epoch."""

    def __init__(self, store: Store, graph: Graph, epoch: int) -> None:
        self.store = store
        self.graph = graph
        self.epoch = epoch
        self._judged: str | None = None  # the bookmark whose state was judged
        self._last: tuple[list[GraphRow], int | None] | None = None  # rows that equal this generation

    def read(self) -> tuple[str, list[GraphRow]] | None:
        """The rows of one state and its bookmark; None when curators write faster than we read."""
        for attempt in range(TRIES):
            # Scans may miss or double what moves meanwhile: equal bookmarks say that no commit began, and the reading waits for
            # those that had begun. (Without waiting, what a large one writes was taken for seen, and never read.)
            before = self.graph.bookmark()
            rows = self.graph.rows(before)
            if self.graph.bookmark() == before:
                return before, rows
            time.sleep(0.05 * 2**attempt)
        return None

    def step(self, *, accept_shrink: bool = False, force: bool = False) -> Proposed | None:
        """Looks whether anything changed, and proposes what did. None: nothing changed. May raise Wiped or Fenced."""
        if not force and self.graph.bookmark() == self._judged:
            return None
        epoch = self.graph.epoch()
        if epoch is None:
            raise Wiped
        if epoch > self.epoch:
            raise Fenced(epoch)
        base = self.store.accepted_generation()
        read = self.read()
        if read is None:
            log.warning(
                "the rule graph changes faster than it can be read: the last generation stays in force"
            )
            return Proposed("unstable", base, 0)
        bookmark, rows = read
        failpoint("after_read")
        if self._last == (rows, base) and not force:
            self._judged = bookmark
            return None
        result = self.store.propose(self.epoch, base, bookmark, rows, accept_shrink=accept_shrink)
        failpoint("after_propose")
        if result.state in ("accepted", "unchanged", "rejected"):
            self._judged = bookmark
            self._last = None if result.state == "rejected" else (rows, result.generation)
        if result.state == "accepted":
            log.info("generation %s of the rule graph is in force", result.generation)
        elif result.state == "rejected":
            log.warning(
                "the rule graph is rejected for %s reason(s): generation %s stays in force",
                result.findings,
                base,
            )
        return result
