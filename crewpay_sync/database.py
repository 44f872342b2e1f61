"""Connections: where the database is, and how commands reach it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg import conninfo, pq

from crewpay_sync.output import CONNECTION, CrewPayError, from_database
from crewpay_sync.settings import Settings, settings

_LIBPQ_KEYWORDS = frozenset(option.keyword.decode() for option in pq.Conninfo.get_defaults())


def clean_url(url: str) -> tuple[str, bool]:
    """A connection string that libpq takes, and whether a transaction pooler stands in between.

    Frameworks add parameters of their own (Prisma: pgbouncer, schema, connection_limit, ...), which libpq refuses.
    """
    if "://" not in url:
        return url, False
    parts = urlsplit(url)
    scheme = "postgresql" if parts.scheme.split("+")[0] in {"postgres", "postgresql"} else parts.scheme
    query = parse_qsl(parts.query, keep_blank_values=True)
    pooled = ("pgbouncer", "true") in query
    kept = [(name, value) for name, value in query if name in _LIBPQ_KEYWORDS]
    return urlunsplit((scheme, parts.netloc, parts.path, urlencode(kept, quote_via=quote), "")), pooled


@dataclass(frozen=True)
class Target:
    """One database: libpq parameters. The password never shows in its representation."""

    parameters: tuple[tuple[str, str], ...]
    pooled: bool = False

    @classmethod
    def parse(cls, url: str) -> Target:
        """From a URL or a libpq string; CP911 when it is neither."""
        cleaned, pooled = clean_url(url)
        try:
            parameters = conninfo.conninfo_to_dict(cleaned)
        except psycopg.ProgrammingError:
            raise CrewPayError(
                "CP911",
                "the connection string is not valid",
                hint="Write DATABASE_URL as postgresql://user:password@host:5432/database; encode special characters.",
                exit_code=CONNECTION,
            ) from None
        return cls(tuple(sorted((k, str(v)) for k, v in parameters.items() if v is not None)), pooled)

    def __repr__(self) -> str:
        return f"Target({self})"

    def __str__(self) -> str:
        """Without secrets: database at host:port."""
        values = self.as_dict()
        host = values.get("host", os.environ.get("PGHOST", "localhost"))
        return f"{self.dbname} at {host}:{values.get('port', os.environ.get('PGPORT', '5432'))}"

    def as_dict(self) -> dict[str, str]:
        return dict(self.parameters)

    @property
    def dbname(self) -> str:
        return self.as_dict().get("dbname") or os.environ.get("PGDATABASE") or "crewpay"

    @property
    def conninfo(self) -> str:
        return conninfo.make_conninfo("", **self.as_dict())

    def with_(self, **changes: str) -> Target:
        """The same server with other parameters, e.g. another dbname."""
        return Target(tuple(sorted({**self.as_dict(), **changes}.items())), self.pooled)

    def connect(
        self, kind: type[psycopg.Connection[Any]] = psycopg.Connection, **options: Any
    ) -> psycopg.Connection[Any]:
        """A connection, of a `kind` of its own if need be; CP910 when there is none."""
        options.setdefault("application_name", "crewpay")
        options.setdefault("connect_timeout", 10)
        if self.pooled:
            options.setdefault("prepare_threshold", None)
        try:
            return kind.connect(self.conninfo, **options)
        except psycopg.OperationalError as error:
            raise from_database(error) from None

    def for_programs(self) -> tuple[str, dict[str, str]]:
        """A libpq string without the password, and an environment with it: for psql and pg_dump."""
        values = self.as_dict()
        environment = dict(os.environ)
        if password := values.pop("password", None):
            environment["PGPASSWORD"] = password
        return conninfo.make_conninfo("", **values), environment

    def yoyo_url(self, **options: str) -> str:
        """The URL of yoyo's psycopg 3 backend; everything but the database is a query parameter."""
        values = {**self.as_dict(), **options}
        values.pop("dbname", None)
        user, password = values.pop("user", None), values.pop("password", None)
        login = quote(user or "", safe="") + (f":{quote(password, safe='')}" if password else "")
        netloc = f"{login}@" if user else ""
        return f"postgresql+psycopg://{netloc}/{quote(self.dbname, safe='')}?{urlencode(values, quote_via=quote)}"


def application_target(given: Settings | None = None) -> Target:
    """Where applications connect: DATABASE_URL, else PG* variables, else the private cluster."""
    given = given or settings()
    if given.database_url:
        return Target.parse(given.database_url.get_secret_value())
    if any(os.environ.get(name) for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE")):
        return Target((("dbname", os.environ.get("PGDATABASE") or "crewpay"),))
    return Target(
        (
            ("dbname", os.environ.get("PGDATABASE") or "crewpay"),
            ("host", str(given.crewpay_home / "sock")),
            ("port", str(given.crewpay_port)),
            ("user", os.environ.get("PGUSER") or "postgres"),
        )
    )


def direct_target(given: Settings | None = None) -> Target:
    """Where deploy, LISTEN, jobs and dumps connect: DIRECT_URL, else the application's target."""
    given = given or settings()
    if given.direct_url:
        return Target.parse(given.direct_url.get_secret_value())
    return application_target(given)


def connect(*, direct: bool = False, **options: Any) -> psycopg.Connection[Any]:
    """A connection to the configured database; `direct` bypasses a pooler."""
    return (direct_target() if direct else application_target()).connect(**options)
