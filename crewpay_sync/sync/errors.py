"""Which failures mean what: try again, put the key aside, step down, or stop."""

from __future__ import annotations

import psycopg
from neo4j import exceptions as neo4j_errors


class Fenced(Exception):
    """Neo4j knows a higher epoch: somebody else leads, or the database is older than Neo4j."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"Neo4j knows epoch {epoch}")
        self.epoch = epoch


class Wiped(Exception):
    """Neo4j knows nothing of this enterprise: it is new, or was emptied."""


class Deposed(Exception):
    """Postgres says that another daemon leads (CP701)."""


class Missing(Exception):
    """A rule that the key refers to isn't in Neo4j."""


class Mismatch(Exception):
    """Neo4j applied another number of rows than it was sent."""


class Stopped(Exception):
    """The daemon was asked to stop."""


def _ended_by_server(error: BaseException) -> bool:
    """Whether Neo4j ended the transaction: it took too long, or somebody terminated it. The driver calls some of these the client's fault."""
    return isinstance(error, neo4j_errors.Neo4jError) and (error.code or "").startswith(
        (
            "Neo.ClientError.Transaction.TransactionTimedOut",
            "Neo.ClientError.Transaction.Terminated",
            "Neo.ClientError.Transaction.LockClientStopped",
        )
    )


def is_lost_server(error: BaseException) -> bool:
    """Whether the connection to Neo4j broke: what comes back may be another state than the one that went away."""
    return isinstance(error, neo4j_errors.ServiceUnavailable | neo4j_errors.SessionExpired | OSError)


def is_outage(error: BaseException) -> bool:
    """Whether Neo4j is away or busy. Then everything waits, and nothing is put aside."""
    if _ended_by_server(error):
        return True
    if isinstance(error, neo4j_errors.AuthError | neo4j_errors.ConfigurationError):
        return False
    if isinstance(error, neo4j_errors.DriverError):
        return (
            isinstance(error, neo4j_errors.ServiceUnavailable | neo4j_errors.SessionExpired)
            or error.is_retryable()
        )
    if isinstance(error, neo4j_errors.Neo4jError):
        # A DatabaseError is the server's own trouble (a full disk), never the row's.
        return error.is_retryable() or isinstance(
            error, neo4j_errors.TransientError | neo4j_errors.DatabaseError
        )
    return isinstance(error, OSError)


def is_refusal(error: BaseException) -> bool:
    """Whether Neo4j refuses what it was sent, so that sending it again changes nothing."""
    if isinstance(error, neo4j_errors.AuthError) or _ended_by_server(error):
        return False
    return isinstance(error, neo4j_errors.ClientError | Missing | Mismatch | ValueError | TypeError)


def is_too_much(error: BaseException) -> bool:
    """Whether the transaction is more than Neo4j's memory or time allows: half of it may do, the same again won't."""
    return isinstance(error, neo4j_errors.Neo4jError) and any(
        word in (error.code or "") for word in ("Memory", "TransactionTimedOut")
    )


def is_lost_database(error: psycopg.Error) -> bool:
    """Whether the connection to Postgres, or Postgres itself, is gone for now."""
    state = error.sqlstate
    if state is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return state[:2] in {"08", "57", "53", "58"} or state in {"40001", "40P01", "55P03", "25006"}


def code_of(error: BaseException) -> str:
    """A short name for a dead letter."""
    return str(getattr(error, "code", None) or type(error).__name__)
