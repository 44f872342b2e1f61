"""Neo4j's side: connections, fenced writes, and readings of one state."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import neo4j
from neo4j import Driver, GraphDatabase, ManagedTransaction, Session, Transaction
from neo4j import exceptions as neo4j_errors
from pydantic import SecretStr

from crewpay_sync.output import CONNECTION, CrewPayError
from crewpay_sync.settings import Settings, settings
from crewpay_sync.sync.errors import Fenced, Mismatch, Missing, Wiped
from crewpay_sync.sync.failpoints import failpoint
from crewpay_sync.sync.model import Entity, GraphRow, Node, Properties
from crewpay_sync.sync.statements import constraints, cypher


@dataclass(frozen=True)
class GraphTarget:
    """Where Neo4j is, and as whom; the password never shows."""

    uri: str
    user: str
    password: SecretStr

    def __str__(self) -> str:
        return self.uri


def graph_target(given: Settings | None = None) -> GraphTarget:
    """NEO4J_URI and the rest, else the private server of .dev/neo4j; CP940 when there is neither."""
    given = given or settings()
    if given.neo4j_uri:
        return GraphTarget(given.neo4j_uri, given.neo4j_user, given.neo4j_password or SecretStr(""))
    private = (given.crewpay_neo4j_home or given.crewpay_home / "neo4j") / "default"
    try:
        uri = Path(private / "uri").read_text(encoding="utf-8").strip()
        password = Path(private / "password").read_text(encoding="utf-8").strip()
    except PermissionError:
        raise CrewPayError(
            "CP941",
            "the password of the private Neo4j can't be read",
            detail=str(private / "password"),
            hint="Only who started it may: repeat as that user or with sudo, or set NEO4J_URI, NEO4J_USER and NEO4J_PASSWORD.",
            exit_code=CONNECTION,
        ) from None
    except OSError:
        raise CrewPayError(
            "CP940",
            "no Neo4j is configured",
            hint="Set NEO4J_URI, NEO4J_USER and NEO4J_PASSWORD, or start the private one: .dev/neo4j start",
            exit_code=CONNECTION,
        ) from None
    return GraphTarget(uri, "neo4j", SecretStr(password))


SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")


def open_driver(target: GraphTarget) -> Driver:
    """A driver that gives up soon, so that the loop never hangs; it connects when first used."""
    try:
        if target.uri.partition("://")[0] not in SCHEMES:
            raise ValueError(f"{target.uri} begins with none of {', '.join(SCHEMES)}")
        return GraphDatabase.driver(
            target.uri,
            auth=(target.user, target.password.get_secret_value()),
            connection_timeout=5,
            connection_acquisition_timeout=8,
            liveness_check_timeout=30,
            max_connection_pool_size=4,
            max_transaction_retry_time=0,
            keep_alive=True,
            notifications_min_severity="OFF",
        )
    except (neo4j_errors.ConfigurationError, ValueError) as error:
        raise CrewPayError(
            "CP911",
            "NEO4J_URI is not valid",
            detail=str(error),
            hint="See .env.example.",
            exit_code=CONNECTION,
        ) from None


def from_neo4j(
    error: neo4j_errors.Neo4jError | neo4j_errors.DriverError, target: GraphTarget
) -> CrewPayError:
    """An error of Neo4j for the operator."""
    return CrewPayError(
        "CP941",
        f"Neo4j at {target} can't be used",
        detail=(getattr(error, "message", None) or str(error)).splitlines()[0],
        hint="Check NEO4J_URI, NEO4J_USER and NEO4J_PASSWORD, and that the server runs.",
        exit_code=CONNECTION,
    )


# A leader that stands still within a transaction holds the lock of the fence. Neo4j ends its transaction after so many seconds,
# before another daemon may lead (ten seconds), so that the new leader doesn't wait for the old one.
BATCH_SECONDS = 6.0
EPOCH_LIMIT = 1 << 53
WHOLE_SECONDS = 120.0  # a whole rule graph in one transaction
PAGE = 2000  # nodes read together
Found = tuple[str, tuple[Any, ...], list[Any]]  # a node: its key, the values of our columns, what it requires


class Graph:
    """One enterprise's part of a graph. Every session is one of writing: on a cluster that is the leader, whose reads are current."""

    def __init__(self, driver: Driver, enterprise: str) -> None:
        self.driver = driver
        self.enterprise = enterprise

    @contextmanager
    def session(self, after: str = "") -> Iterator[Session]:
        """A session; one that sees everything `after` a bookmark stands for, if need be."""
        bookmarks = neo4j.Bookmarks.from_raw_values(after.split("|")) if after else None
        with self.driver.session(default_access_mode=neo4j.WRITE_ACCESS, bookmarks=bookmarks) as session:
            yield session

    def _run(
        self, tx: Transaction | Session | ManagedTransaction, name: str, **parameters: Any
    ) -> neo4j.Result:
        return tx.run(cypher(name), enterprise=self.enterprise, **parameters)

    def _one(self, tx: Transaction, name: str, **parameters: Any) -> int:
        record = self._run(tx, name, **parameters).single()
        return int(record[0]) if record else 0

    # ---- Writing ------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Constraints and indexes, made where missing."""
        with self.session() as session:
            for statement in constraints():
                session.run(statement).consume()

    def epoch(self) -> int | None:
        """The epoch Neo4j knows; None: it knows nothing of this enterprise."""
        with self.session() as session:
            return self._known_epoch(session)

    def _known_epoch(self, tx: Transaction | Session) -> int | None:
        record = self._run(tx, "epoch").single()
        epoch = record["epoch"] if record else None
        # Anything but a number that a database can have counted to is damage, as if it were not there.
        return epoch if isinstance(epoch, int) and 0 <= epoch < EPOCH_LIMIT else None

    def initialise(self, epoch: int) -> None:
        """The node that holds the epoch and the count of batches."""
        self.prepare()
        with self.session() as session:
            self._run(session, "initialise", epoch=epoch, limit=EPOCH_LIMIT).consume()

    def _fence(self, tx: Transaction, epoch: int) -> None:
        if self._run(tx, "fence", epoch=epoch, limit=EPOCH_LIMIT).single() is None:
            known = self._known_epoch(tx)
            if known is None:
                raise Wiped
            raise Fenced(known)

    @contextmanager
    def _fenced(self, epoch: int, seconds: float = BATCH_SECONDS) -> Iterator[Transaction]:
        """A transaction that a leader of an older epoch can't commit: its first statement takes the lock and compares."""
        with self.session() as session, session.begin_transaction(timeout=seconds) as tx:
            self._fence(tx, epoch)
            failpoint("in_neo4j_tx")
            yield tx
            failpoint("before_neo4j_commit")
            tx.commit()
        failpoint("after_neo4j_commit")

    def claim(self, epoch: int) -> None:
        """Raises the epoch in Neo4j, so that nothing of an older leader is taken any more; may raise Fenced or Wiped."""
        with self._fenced(epoch):
            pass

    def upsert(self, epoch: int, entity: Entity, nodes: list[Node]) -> None:
        """Nodes as Postgres wants them; what curators added to them stays. All or none: Missing, Mismatch."""
        rows: list[Properties] = [
            {"key": n.key, "properties": n.properties, "requires": n.requires} for n in nodes
        ]
        with self._fenced(epoch) as tx:
            applied = self._one(tx, entity.name, rows=rows)
            if applied != len(rows):
                raise Mismatch(f"{applied} of {len(rows)} nodes were applied")
            if entity.name == "interpretation":
                self._one(tx, "unrequire", rows=rows)
                wanted = sum(len(n.requires) for n in nodes)
                found = self._one(tx, "require", rows=rows)
                if found != wanted:
                    raise Missing(f"{wanted - found} of {wanted} rules it requires are not in Neo4j")

    def remove(self, epoch: int, entity: Entity, keys: list[str]) -> None:
        """Nodes that Postgres no longer has. One with curated edges is retired: a curator decides what becomes of them."""
        with self._fenced(epoch) as tx:
            self._one(tx, f"remove_{entity.name}", keys=keys)

    def push(self, epoch: int, rows: list[GraphRow]) -> None:
        """Scenarios, components and edges that were loaded in Postgres (or restored from an export), in one transaction."""
        with self._fenced(epoch, WHOLE_SECONDS) as tx:
            for kind in (
                "SCENARIO",
                "PAY_COMPONENT",
                "APPLIES_TO",
                "CONFLICTS_WITH",
                "DEPENDS_ON",
                "SUPERSEDES",
                "EXEMPTS",
            ):
                sent = [r.as_data() for r in rows if r.kind == kind]
                if sent and (applied := self._one(tx, f"push_{kind}", rows=sent)) != len(sent):
                    raise Missing(
                        f"{len(sent) - applied} of {len(sent)} {kind} refer to nodes that are not there"
                    )

    def replace(self, epoch: int, statements: list[str]) -> int:
        """Removes what Neo4j owns of this enterprise and runs the statements of an export, in one transaction; how many rows they applied."""
        applied = 0
        with self._fenced(epoch, WHOLE_SECONDS) as tx:
            for name in ("clear_edges", "clear_nodes"):
                self._run(tx, name).consume()
            for statement in statements:
                record = tx.run(statement).single()
                applied += int(record[0]) if record else 0
        return applied

    # ---- Reading ------------------------------------------------------------------------------------------------

    def bookmark(self) -> str:
        """A token of Neo4j's state: it changes with every commit of anybody, and with nothing else. It does so before the commit can
        be seen: the state is what a session after it sees."""
        with self.session() as session:
            self._run(session, "probe").consume()
            return "|".join(sorted(session.last_bookmarks().raw_values))

    def rows(self, after: str = "") -> list[GraphRow]:
        """What Neo4j owns and pay is decided by, in a fixed order, as Postgres can hold it; not older than the bookmark."""
        return sorted(
            map(_shown, self.curated(after)),
            key=lambda r: (r.kind, r.from_code or "", r.to_code or "", str(r.properties)),
        )

    def curated(self, after: str = "") -> list[GraphRow]:
        """The same with the values as they are in Neo4j, and in no order."""
        found: list[GraphRow] = []
        with self.session(after) as session, session.begin_transaction() as tx:
            for kind, name, key in (
                ("SCENARIO", "scenarios", "id"),
                ("PAY_COMPONENT", "pay_components", "type"),
            ):
                found += [
                    GraphRow(kind, _text(r["code"]), None, _without(r["properties"], "enterprise", key))
                    for r in self._run(tx, name)
                ]
            for r in self._run(tx, "edges"):
                problem = None
                if r["to_enterprise"] != self.enterprise:
                    problem = "OTHER_ENTERPRISE"
                elif not _fits(r["kind"], set(r["from_labels"]), set(r["to_labels"])):
                    problem = "WRONG_END"
                elif r["retired"]:
                    problem = "RETIRED"
                found.append(
                    GraphRow(
                        r["kind"], _text(r["from_code"]), _text(r["to_code"]) or "", r["properties"], problem
                    )
                )
        return found

    def notes(self) -> list[GraphRow]:
        """SUPERSEDES and EXEMPTS: curators' knowledge, exported with the rest, without effect on pay."""
        with self.session() as session:
            return [
                GraphRow(r["kind"], _text(r["from_code"]), _text(r["to_code"]), r["properties"])
                for r in self._run(session, "notes")
            ]

    def all_nodes(self, entity: Entity) -> Iterator[list[Found]]:
        """All nodes of a kind, page by page in the order of their keys: Neo4j sends a page as one record, a tenth of the work."""
        after = ""
        while page := self._page(f"all_{entity.name}", entity, after=after, limit=PAGE):
            yield page
            after = page[-1][0]

    def some_nodes(self, entity: Entity, keys: list[str]) -> list[Found]:
        """Those of these keys that are there."""
        return self._page(f"some_{entity.name}", entity, keys=keys)

    def _page(self, name: str, entity: Entity, **parameters: Any) -> list[Found]:
        with self.session() as session:
            record = self._run(session, name, columns=list(entity.columns), **parameters).single(strict=True)
            return [(key, tuple(values), requires) for key, values, requires in record["page"]]


_ENDS = {
    "APPLIES_TO": ("Rule", "Scenario"),
    "CONFLICTS_WITH": ("Rule", "Rule"),
    "DEPENDS_ON": ("PayComponent", "PayComponent"),
}


def _fits(kind: str, from_labels: set[str], to_labels: set[str]) -> bool:
    first, second = _ENDS[kind]
    return first in from_labels and second in to_labels


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _without(properties: Properties, *hidden: str) -> Properties:
    return {k: v for k, v in properties.items() if k not in hidden}


def _shown(row: GraphRow) -> GraphRow:
    """A row as Postgres can hold it. Names that begin with _ are left out; text with a zero character can't be held, and is a problem."""
    shown = GraphRow(
        row.kind,
        _held(row.from_code),
        _held(row.to_code),
        {_held(k): _held(v) for k, v in row.properties.items() if not k.startswith("_")},
        row.problem,
    )
    given = [row.from_code, row.to_code, *row.properties, *row.properties.values()]
    return replace(shown, problem="UNREADABLE") if any(map(_has_zero, given)) else shown


def _has_zero(value: Any) -> bool:
    return any(map(_has_zero, value)) if isinstance(value, list) else isinstance(value, str) and "\0" in value


def _held(value: Any) -> Any:
    """A value as JSON has it; what JSON has no form for (dates, points, not-a-number) as text."""
    if isinstance(value, str):
        return value.replace("\0", "\N{SYMBOL FOR NULL}")
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return [_held(v) for v in value] if isinstance(value, list) else str(value)
