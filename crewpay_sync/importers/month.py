"""One month of a carrier at a base into an enterprise: airports, flights, crew, trips, legs, calendar, logins, contract.

Rows go by COPY into temporary tables and from there, set-based, into place. Keys are derived from names, so that a
repeated import changes nothing and months and bases accumulate in one enterprise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from crewpay_sync.importers.airports import load_airports
from crewpay_sync.importers.contract import load_contract
from crewpay_sync.importers.nycflights import Flight, carriers, local, read_schedule
from crewpay_sync.importers.roster import Member, Roster, build_roster, draw, month_bounds
from crewpay_sync.output import CrewPayError
from crewpay_sync.statements import query
from crewpay_sync.tenants import (
    ensure_enterprise,
    ensure_login,
    ensure_standard_logins,
    login_name,
    stable_id,
)

Step = Callable[[str], None]


@dataclass
class Summary:
    """What an import did. Counts are of the month; added and changed are rows of the database."""

    enterprise: str
    carrier: str
    base: str
    month: str
    flights: int = 0
    cancelled: int = 0
    diverted: int = 0
    inferred: int = 0
    uncrewed: int = 0
    crew: int = 0
    trips: int = 0
    legs: int = 0
    deadheads: int = 0
    added: int = 0
    changed: int = 0
    seconds: float = 0.0
    logins: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def moment(minute: int | None) -> datetime | None:
    """Minutes since 1970 as a time."""
    return None if minute is None else datetime.fromtimestamp(minute * 60, UTC)


class _Rows:
    """Rows of the tables, with keys that depend on names only."""

    def __init__(self, enterprise: UUID, roster: Roster, base: str, month: date, seed: int) -> None:
        self.enterprise, self.roster, self.base, self.month, self.seed = enterprise, roster, base, month, seed
        self.member_ids = {m.employee_id: self.key("crew", m.employee_id) for m in roster.members}

    def key(self, *parts: object) -> UUID:
        return stable_id(self.enterprise, *parts)

    def flight_key(self, flight: Flight) -> UUID:
        return self.key("flight", *flight.key)

    def flights(self, flights: Iterable[Flight]) -> Iterable[tuple[Any, ...]]:
        for f in flights:
            yield (
                self.enterprise, self.flight_key(f), f.number, f.origin, f.destination, moment(f.out), moment(f.in_),
                moment(f.actual_out), moment(f.actual_in), f.delay, f.model, f.tail, f.status, f.source,
            )  # fmt: skip

    def members(self) -> Iterable[tuple[Any, ...]]:
        for m in self.roster.members:
            status = "PROBATIONARY" if m.hired > date(2012, 6, 30) else "UNION_MEMBER"
            yield (
                self.enterprise, self.member_ids[m.employee_id], m.employee_id, m.first_name, m.last_name, m.position,
                self.base, m.hired, m.index + 1, status, self.key("person", m.employee_id),
            )  # fmt: skip

    def trips(self) -> Iterable[tuple[Any, ...]]:
        for pairing, crew in self.roster.crews:
            times = (
                moment(pairing.report), moment(pairing.release),
                moment(pairing.report), moment(pairing.scheduled_release),
            )  # fmt: skip
            for m in crew:
                trip = self.key("trip", pairing.number, m.employee_id)
                yield (
                    self.enterprise,
                    trip,
                    self.member_ids[m.employee_id],
                    pairing.number,
                    self.base,
                    *times,
                )

    def legs(self) -> Iterable[tuple[Any, ...]]:
        for pairing, crew in self.roster.crews:
            legs = [
                (self.flight_key(leg.flight), "DEADHEAD" if leg.deadhead else "OPERATING", duty)
                for duty, leg in pairing.legs()
            ]
            for m in crew:
                member, trip = self.member_ids[m.employee_id], self.key("trip", pairing.number, m.employee_id)
                for flight, position, duty in legs:
                    early = int(draw(self.seed, m.employee_id, duty.report) * 10)
                    yield (
                        self.enterprise, self.key("leg", flight, m.employee_id), member, flight, trip, position,
                        moment(duty.report), moment(duty.release), moment(duty.report - early), moment(duty.release),
                    )  # fmt: skip

    def months(self) -> Iterable[tuple[Any, ...]]:
        """Work days: the month's days on which a scheduled duty begins."""
        days: dict[str, set[date]] = {}
        for pairing, crew in self.roster.crews:
            reports = {local(duty.report, self.base).date() for duty in pairing.duties}
            reports = {day for day in reports if day.replace(day=1) == self.month}
            for m in crew:
                days.setdefault(m.employee_id, set()).update(reports)
        for m in self.roster.members:
            yield (
                self.enterprise,
                self.member_ids[m.employee_id],
                self.month,
                len(days.get(m.employee_id, ())),
            )


def _copy(cursor: psycopg.Cursor[Any], table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    cursor.execute(query("nycflights", f"stage_{table}"))
    with cursor.copy(query("nycflights", f"copy_{table}")) as copy:
        for row in rows:
            copy.write_row(row)


def _first_of_position(members: list[Member], position: str) -> Member | None:
    return next((m for m in members if m.position == position), None)


def import_month(
    conn: psycopg.Connection[Any],
    *,
    carrier: str,
    base: str,
    month: date,
    seed: int = 1,
    enterprise: str | None = None,
    with_contract: bool = True,
    step: Step = lambda _: None,
) -> Summary:
    """Imports the month in one transaction. Needs an operator's connection: it makes logins and writes as owner.

    Raises CP926 when the base's month is there already with another seed.
    """
    started = time.monotonic()
    slug = enterprise or carrier.lower()
    if not slug[:1].isalpha():
        slug = f"x{slug}"
    summary = Summary(slug, carrier, base, f"{month:%Y-%m}")
    step("read")
    schedule = read_schedule(carrier, base)
    step("roster")
    roster = build_roster(schedule, month, seed)
    begin, end = month_bounds(month, base)
    flown = [f for f in (*schedule.departures, *schedule.returns) if begin <= f.out < end]
    needed = {id(f): f for f in flown}
    crewed = set()
    for pairing in roster.pairings:
        for _, leg in pairing.legs():
            needed.setdefault(id(leg.flight), leg.flight)
            if not leg.deadhead:
                crewed.add(id(leg.flight))
    with conn.transaction(), conn.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        tenant = ensure_enterprise(conn, slug, carriers()[carrier])
        rows = _Rows(tenant, roster, base, month, seed)
        step("airports")
        load_airports(conn)
        step("copy")
        _copy(cursor, "flights", rows.flights(needed.values()))
        _copy(cursor, "members", rows.members())
        _copy(cursor, "trips", rows.trips())
        _copy(cursor, "legs", rows.legs())
        _copy(cursor, "months", rows.months())
        others = cursor.execute(
            query("nycflights", "other_roster"), {"enterprise": tenant, "trips": f"{base}{month:%y%m}-%"}
        ).fetchone()
        if others and others[0]:
            raise CrewPayError(
                "CP926",
                f"{base} {month:%Y-%m} is in {slug} already with another roster",
                detail=f"{others[0]} trips there are not in the roster of seed {seed}.",
                hint="Give the seed of the first import, or another --enterprise.",
            )
        counts = {}
        for table in ("flights", "members", "trips", "legs", "months"):
            step(table)
            counts[table] = cursor.execute(query("nycflights", f"merge_{table}")).fetchone() or (0, 0)
        following = (month + timedelta(days=31)).replace(day=1)
        cursor.execute(
            query("nycflights", "pay_period"),
            {
                "enterprise": tenant, "id": rows.key("period", month), "first": month,
                "last": following - timedelta(days=1),
            },
        )  # fmt: skip
        step("logins")
        summary.logins = ensure_standard_logins(conn, tenant, slug)
        for position in ("CAPTAIN", "FLIGHT_ATTENDANT"):
            if member := _first_of_position(roster.members, position):
                login = login_name(slug, member.employee_id)
                ensure_login(conn, login, tenant, "crew", crew_member=rows.member_ids[member.employee_id])
                summary.logins.append(login)
        if with_contract:
            step("contract")
            load_contract(conn, slug)
        step("analyze")
        cursor.execute(query("nycflights", "analyze"))
    in_month = [(p, crew) for p, crew in roster.crews if p.report >= begin]
    summary.flights = sum(f.source == "recorded" for f in flown)
    summary.inferred = len(flown) - summary.flights
    summary.cancelled = sum(f.source == "recorded" and f.cancelled for f in flown)
    summary.diverted = sum(f.status == "DIVERTED" for f in flown)
    summary.uncrewed = sum(id(f) not in crewed for f in flown)
    summary.crew = len(roster.members)
    summary.trips = sum(len(crew) for _, crew in in_month)
    summary.legs = sum(len(crew) * sum(len(d.legs) for d in p.duties) for p, crew in in_month)
    summary.deadheads = sum(len(crew) * sum(leg.deadhead for _, leg in p.legs()) for p, crew in in_month)
    summary.added = sum(added for added, _ in counts.values())
    summary.changed = sum(changed for _, changed in counts.values())
    summary.seconds = round(time.monotonic() - started, 2)
    return summary
