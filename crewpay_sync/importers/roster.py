"""A believable roster over real flights: pairings, the crew who fly them, and their duties. Deterministic.

Pairings are made in order of time from the first day of the year, so that what a month holds never depends on which
month was imported first. A pairing leaves the base and returns to it:
- turns out and back, several in a duty; the last one of a duty may be a layover (rest of 10 hours, then home);
- where an outbound's aircraft does not come back, the crew wait for another flight home, deadhead on one in the same
  duty, or after a layover; an outbound from which nobody could come home stays uncrewed;
- a return that found no crew gets one that deadheads out to it.
Scheduled duties keep within 14 hours and the flight duty period table for up to four legs; chosen connections keep
the actual duty within 14 hours too. Cancelled flights keep the crew that was scheduled.

Crew members take pairings one position at a time: rested 10 hours, 30 free hours in any 168, at most 90 block hours
a month; whoever is furthest below their target (about 80 block hours, one in ten about 45) comes first.
"""

from __future__ import annotations

import bisect
import hashlib
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache

from crewpay_sync.importers.nycflights import YEAR, Flight, Schedule, local, minute_of

REPORT = 60  # minutes from report to the first scheduled departure
RELEASE, RELEASE_INTERNATIONAL = 15, 30  # minutes from the last arrival to release
REST = 600
MAX_DUTY = 14 * 60
MAX_BLOCK = 8 * 60  # scheduled block operated in a duty
MAX_LEGS = 4
MAX_DUTIES = 4
SAME_AIRCRAFT, OTHER_AIRCRAFT, AT_BASE = 25, 30, 40  # shortest scheduled connections
MAX_SIT, MAX_SIT_AT_BASE = 300, 210
LONGEST_LAYOVER = 30 * 60
BLOCK_TARGET, BLOCK_CAP = 78 * 60, 90 * 60  # a month, per crew member
LIGHT_LINES, LIGHT = 0.1, 0.55  # how many hold a light line, and how light it is: the guarantee tops those up
WEEK, FREE = 168 * 60, 30 * 60
# Report on the base's clock (hour) -> longest flight duty period in minutes for 1-2 and for 3-4 flights.
FLIGHT_DUTY = {
    **dict.fromkeys(range(0, 4), (540, 540)), 4: (600, 600), 5: (720, 720), 6: (780, 720),
    **dict.fromkeys(range(7, 12), (840, 780)), 12: (780, 780), **dict.fromkeys(range(13, 17), (720, 720)),
    **dict.fromkeys(range(17, 22), (720, 660)), 22: (660, 600), 23: (600, 540),
}  # fmt: skip

_FIRST_NAMES = (
    "Ada Alan Alice Amir Andrea Anthony Beatriz Ben Brian Carla Carlos Chen Claire Daniel David Dina Elena Emma Eric "
    "Eva Fatima Felix Frank Gloria Grace Hana Hector Helen Ian Ines Isaac Jack Jamal Jane Jorge Julia Karen Kevin "
    "Laura Leo Linda Lucas Maria Mark Maya Miguel Mila Nadia Nathan Nina Noah Olga Omar Paula Peter Priya Rachel Ravi "
    "Rosa Ruth Samuel Sara Simon Sofia Thomas Tina Victor Wanda Wei Yusuf"
)
_LAST_NAMES = (
    "Abbott Adams Ahmed Alvarez Andersen Baker Barnes Bauer Becker Bennett Brooks Campbell Carter Castro Chang Clark "
    "Cohen Costa Cruz Dahl Davis Diaz Dixon Duncan Edwards Ellis Evans Farrell Fischer Flores Foster Garcia Gibson "
    "Gomez Graham Green Gupta Hall Hansen Harris Hayes Herrera Hill Hoffman Hughes Hunt Ito James Jensen Johnson Kaur "
    "Keller Kelly Khan Kim King Klein Kowalski Larsen Lee Lewis Lopez Marsh Martin Meyer Mills Moore Morgan Murphy "
    "Nguyen Novak Olsen Ortiz Osborne Park Patel Perez Quinn Ramos Reed Rivera Rossi Santos Schmidt Shah Silva Singh "
    "Smith Stone Sullivan Tanaka Taylor Torres Vega Vogel Walker Wang Webb Weiss White Wright Young Zimmer"
)
FIRST_NAMES, LAST_NAMES = _FIRST_NAMES.split(), _LAST_NAMES.split()


def draw(seed: int, *words: object) -> float:
    """A number in [0, 1) that depends on the seed and the words only."""
    digest = hashlib.blake2b(f"{seed}|{'|'.join(map(str, words))}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


@dataclass(slots=True, eq=False)
class Leg:
    """A flight within a duty; `deadhead` when the crew ride as passengers."""

    flight: Flight
    deadhead: bool = False


@dataclass(slots=True, eq=False)
class Duty:
    """From report to release; minutes since 1970 UTC."""

    report: int
    legs: list[Leg]
    release_after: int = RELEASE

    @property
    def scheduled_release(self) -> int:
        return self.legs[-1].flight.in_ + self.release_after

    @property
    def release(self) -> int:
        """Actual release; where flights at the end were cancelled, after the first of those was to leave."""
        end = self.report + REPORT
        for leg in self.legs:
            flight = leg.flight
            if flight.cancelled:
                return max(end, flight.out) + self.release_after
            end = max(end, flight.actual_in if flight.actual_in is not None else flight.in_)
        return end + self.release_after

    @property
    def block(self) -> int:
        """Scheduled block operated, minutes."""
        return sum(leg.flight.block for leg in self.legs if not leg.deadhead)


@dataclass(slots=True, eq=False)
class Pairing:
    """Duties from leaving the base to returning to it, for one crew."""

    duties: list[Duty]
    cabin: int
    number: str = ""

    @property
    def report(self) -> int:
        return self.duties[0].report

    @property
    def scheduled_release(self) -> int:
        return self.duties[-1].scheduled_release

    @property
    def release(self) -> int:
        return self.duties[-1].release

    @property
    def block(self) -> int:
        return sum(duty.block for duty in self.duties)

    def legs(self) -> Iterator[tuple[Duty, Leg]]:
        for duty in self.duties:
            for leg in duty.legs:
                yield duty, leg


@dataclass(slots=True, eq=False)
class Member:
    """A crew member of the base."""

    employee_id: str
    position: str
    index: int
    first_name: str
    last_name: str
    hired: date
    target: float  # share of the usual month
    joins: int  # first minute they may fly
    free_from: int = 0  # release of the last duty + rest
    last_free: int = 0  # end of the last 30 free hours
    released: int = 0
    blocks: dict[date, int] = field(default_factory=dict)
    pairings: list[Pairing] = field(default_factory=list)

    def may_fly(self, pairing: Pairing, month: date) -> bool:
        """Rested, employed, under the month's cap, and with 30 free hours in every week."""
        if self.free_from > pairing.report or self.blocks.get(month, 0) + pairing.block > BLOCK_CAP:
            return False
        free = pairing.report if pairing.report - self.released >= FREE else self.last_free
        return pairing.duties[-1].report - free <= WEEK - FREE

    def fly(self, pairing: Pairing, month: date) -> None:
        self.pairings.append(pairing)
        self.blocks[month] = self.blocks.get(month, 0) + pairing.block
        if pairing.report - self.released >= FREE:
            self.last_free = pairing.report
        self.released = max(pairing.release, pairing.scheduled_release)
        self.free_from = self.released + REST


@dataclass(frozen=True)
class Roster:
    """Pairings that touch the month, the members employed by its end, and who flies what."""

    month: date
    pairings: list[Pairing]
    members: list[Member]
    crews: list[tuple[Pairing, list[Member]]]


class _Pairings:
    """Builds the pairings of a base, in order of time."""

    def __init__(self, schedule: Schedule, until: int) -> None:
        self.base = schedule.base
        self.outs = [f for f in schedule.departures if f.out < until]
        self.out_times = [f.out for f in self.outs]
        self.home: dict[str, list[Flight]] = defaultdict(list)
        for flight in schedule.returns:
            self.home[flight.origin].append(flight)
        self.home_times = {place: [f.out for f in flights] for place, flights in self.home.items()}
        self.away: dict[str, list[Flight]] = defaultdict(list)
        for flight in schedule.departures:
            if flight.status == "ARRIVED":
                self.away[flight.destination].append(flight)
        self.away_times = {place: [f.out for f in flights] for place, flights in self.away.items()}
        self.crewed: set[int] = set()
        self.tried: set[int] = set()  # departures whose turn to find a crew is over
        self.pairings: list[Pairing] = []

    def build(self) -> list[Pairing]:
        for flight in self.outs:
            if id(flight) not in self.crewed:
                self._start(flight)
            self.tried.add(id(flight))
        horizon = self.out_times[-1] if self.out_times else 0
        for place in sorted(self.home):
            for flight in self.home[place]:
                if flight.out <= horizon and id(flight) not in self.crewed and not flight.cancelled:
                    self._deadhead_out(flight)
        self.pairings.sort(key=lambda p: (p.report, p.duties[0].legs[0].flight.key, p.scheduled_release))
        return self.pairings

    # -- one pairing ---------------------------------------------------------------------------------------------

    def _start(self, flight: Flight) -> None:
        pairing = Pairing([Duty(flight.out - REPORT, [])], flight.cabin)
        if not self._out_and_home(pairing, flight, first=True):
            return
        while self._extend(pairing):
            pass
        self.pairings.append(pairing)

    def _extend(self, pairing: Pairing) -> bool:
        """Another flight from the base in the same duty, if one fits."""
        duty = pairing.duties[-1]
        last = duty.legs[-1].flight
        if len(duty.legs) + 2 > MAX_LEGS or last.destination != self.base:
            return False
        first = bisect.bisect_left(self.out_times, last.in_ + AT_BASE)
        end = bisect.bisect_right(self.out_times, last.in_ + MAX_SIT_AT_BASE)
        for flight in self.outs[first:end]:
            if (
                flight.cabin == pairing.cabin
                and id(flight) not in self.crewed
                and self._connects(duty, flight, AT_BASE)
                and self._out_and_home(pairing, flight, first=False)
            ):
                return True
        return False

    def _out_and_home(self, pairing: Pairing, out: Flight, *, first: bool) -> bool:
        """Adds the departure and a way home to the pairing; False and unchanged when there is none."""
        duty = pairing.duties[-1]
        duty.legs.append(Leg(out))
        if self._fits(duty):
            if home := self._turn(duty, pairing.cabin):
                duty.legs.append(Leg(home))
                self.crewed.update((id(out), id(home)))
                return True
            if not out.cancelled and len(pairing.duties) < MAX_DUTIES:
                if home := self._layover(duty, pairing.cabin):
                    pairing.duties.append(Duty(home.out - REPORT, [Leg(home)]))
                    self.crewed.update((id(out), id(home)))
                    return True
                if first and (home := self._ride(duty)):
                    duty.legs.append(Leg(home, deadhead=True))
                    self.crewed.add(id(out))
                    return True
                if first and (home := self._ride_after_rest(duty)):
                    pairing.duties.append(Duty(home.out - REPORT, [Leg(home, deadhead=True)]))
                    self.crewed.add(id(out))
                    return True
        duty.legs.pop()
        return False

    def _turn(self, duty: Duty, cabin: int) -> Flight | None:
        """A flight home in the same duty: the aircraft's own, else one that its own crew can't take."""
        last = duty.legs[-1].flight
        own = last.home
        if own is not None and id(own) not in self.crewed and self._fits_with(duty, own, SAME_AIRCRAFT):
            return own
        if last.cancelled:
            return None
        for flight in self._homeward(last, OTHER_AIRCRAFT, MAX_SIT):
            if self._free(flight, cabin) and self._fits_with(duty, flight, OTHER_AIRCRAFT):
                return flight
        return None

    def _layover(self, duty: Duty, cabin: int) -> Flight | None:
        """A flight home after a rest, to be operated."""
        last = duty.legs[-1].flight
        rested = max(duty.scheduled_release, duty.release) + REST + REPORT
        for flight in self._homeward(last, rested - last.in_, LONGEST_LAYOVER):
            if self._free(flight, cabin):
                return flight
        return None

    def _ride(self, duty: Duty) -> Flight | None:
        """A flight home in the same duty, as passengers."""
        last = duty.legs[-1].flight
        connection = 180 if last.status == "DIVERTED" else OTHER_AIRCRAFT
        for flight in self._homeward(last, connection, MAX_SIT):
            if not flight.cancelled and self._fits_with(duty, flight, connection, deadhead=True):
                return flight
        return None

    def _ride_after_rest(self, duty: Duty) -> Flight | None:
        """A flight home after a rest, as passengers."""
        last = duty.legs[-1].flight
        rested = max(duty.scheduled_release, duty.release) + REST + REPORT
        return next(
            (f for f in self._homeward(last, rested - last.in_, LONGEST_LAYOVER) if not f.cancelled), None
        )

    def _deadhead_out(self, home: Flight) -> None:
        """A crew for a return without one: they ride out in the same duty, or the day before."""
        place = home.origin
        flights, times = self.away.get(place, []), self.away_times.get(place, [])
        end = bisect.bisect_left(times, home.out)
        for flight in reversed(flights[bisect.bisect_left(times, home.out - LONGEST_LAYOVER) : end]):
            duty = Duty(flight.out - REPORT, [Leg(flight, deadhead=True)])
            if home.out - flight.in_ <= MAX_SIT:
                if self._fits_with(duty, home, OTHER_AIRCRAFT):
                    duty.legs.append(Leg(home))
                    break
            elif max(duty.release, duty.scheduled_release) + REST <= home.out - REPORT:
                break
        else:
            return
        duties = [duty] if len(duty.legs) == 2 else [duty, Duty(home.out - REPORT, [Leg(home)])]
        self.crewed.add(id(home))
        self.pairings.append(Pairing(duties, home.cabin))

    # -- conditions ----------------------------------------------------------------------------------------------

    def _homeward(self, last: Flight, soonest: int, latest: int) -> list[Flight]:
        """Flights to the base from where `last` lands, by departure, that many minutes after its arrival."""
        times = self.home_times.get(last.destination, [])
        begin = bisect.bisect_left(times, last.in_ + soonest)
        return self.home.get(last.destination, [])[begin : bisect.bisect_right(times, last.in_ + latest)]

    def _free(self, home: Flight, cabin: int) -> bool:
        """Whether another crew than its outbound's may operate a return."""
        return (
            id(home) not in self.crewed
            and home.cabin == cabin
            and not home.cancelled
            and (home.overnight or id(home.outbound) in self.tried)
        )

    def _connects(self, duty: Duty, following: Flight, connection: int) -> bool:
        """Whether the crew can be on board: as scheduled, and as flown where that is known."""
        last = duty.legs[-1].flight
        if following.out < last.in_ + connection:
            return False
        if following.actual_out is None or last.actual_in is None:
            return True
        return following.actual_out >= last.actual_in + 20

    def _fits_with(self, duty: Duty, following: Flight, connection: int, *, deadhead: bool = False) -> bool:
        if not self._connects(duty, following, connection):
            return False
        duty.legs.append(Leg(following, deadhead))
        fits = self._fits(duty)
        duty.legs.pop()
        return fits

    def _fits(self, duty: Duty) -> bool:
        """Duty within 14 hours as scheduled and as flown, block and flight duty period within their limits."""
        if max(duty.scheduled_release, duty.release) - duty.report > MAX_DUTY or duty.block > MAX_BLOCK:
            return False
        operated = [leg for leg in duty.legs if not leg.deadhead]
        if not operated:
            return True
        limit = FLIGHT_DUTY[local(duty.report, self.base).hour][len(operated) > 2]
        return operated[-1].flight.in_ - duty.report <= limit


def _first_of(year: int, month: int) -> date:
    return date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)


@lru_cache
def month_bounds(month: date, base: str) -> tuple[int, int]:
    """First minute of the month and of the next, on the base's clock."""
    following = _first_of(month.year, month.month + 1)
    return _midnight(month, base), _midnight(following, base)


def _midnight(day: date, base: str) -> int:
    guess = int((day - date(1970, 1, 1)).days) * 1440
    moment = local(guess + 720, base).replace(hour=0, minute=0, second=0)
    return minute_of(moment.replace(year=day.year, month=day.month, day=day.day))


def build_pairings(schedule: Schedule, month: date) -> list[Pairing]:
    """All pairings of the year that begin before the end of the month, numbered, in order of report."""
    _, end = month_bounds(month, schedule.base)
    pairings = [p for p in _Pairings(schedule, end + 4 * 1440).build() if p.report < end]
    counts: dict[date, int] = defaultdict(int)
    for pairing in pairings:
        begins = local(pairing.report, schedule.base).date().replace(day=1)
        counts[begins] += 1
        pairing.number = f"{schedule.base}{begins:%y%m}-{counts[begins]:04d}"
    return pairings


CODES = {"CAPTAIN": 1, "FIRST_OFFICER": 2, "FLIGHT_ATTENDANT": 3}
# Hire dates of those who were there before: since which year, and how fast the list thickens.
SPREAD = {"CAPTAIN": (1985, 40.0), "FIRST_OFFICER": (1997, 50.0), "FLIGHT_ATTENDANT": (1985, 90.0)}
NEWCOMERS = {"CAPTAIN": 0, "FIRST_OFFICER": 2, "FLIGHT_ATTENDANT": 3}  # hired in mid-January


class _Crew:
    """The members of one position at the base. The pool only grows; who joins after January is hired then."""

    def __init__(self, position: str, base: str, seed: int) -> None:
        self.position, self.base, self.seed = position, base, seed
        self.members: list[Member] = []

    def hire(self, hired: date | None) -> Member:
        """A new member; without a date one of long standing."""
        index = len(self.members)
        code = f"{1 + ('LGA', 'JFK', 'EWR').index(self.base)}{CODES[self.position]}{index + 1:03d}"
        if hired is None:
            since, pace = SPREAD[self.position]
            days = (date(2012, 11, 30) - date(since, 1, 7)).days
            hired = date(since, 1, 7) + timedelta(days=int(days * (1 - math.exp(-index / pace))))
        member = Member(
            employee_id=code,
            position=self.position,
            index=index,
            first_name=FIRST_NAMES[int(draw(self.seed, code, "first") * len(FIRST_NAMES))],
            last_name=LAST_NAMES[int(draw(self.seed, code, "last") * len(LAST_NAMES))],
            hired=hired,
            target=(0.92 + 0.16 * draw(self.seed, code, "target"))
            * (LIGHT if draw(self.seed, code, "light") < LIGHT_LINES else 1),
            joins=_midnight(hired, self.base),
        )
        member.free_from = member.joins
        self.members.append(member)
        return member

    def open_month(self, month: date, block: int) -> None:
        """Enough members for the month's block, and its newcomers."""
        newcomers = NEWCOMERS[self.position] if month == date(YEAR, 1, 1) else 0
        needed = -(-block // BLOCK_TARGET) - len(self.members) - (newcomers + 1) // 2
        for _ in range(max(0, needed)):
            self.hire(None if month == date(YEAR, 1, 1) else month)
        for number in range(newcomers):
            day = 8 + int(draw(self.seed, self.base, self.position, month, number) * 12)
            self.hire(month.replace(day=day))

    def take(self, pairing: Pairing, month: date, taken: list[Member]) -> Member:
        """Who flies: of those who may, the one furthest below their target."""
        best: Member | None = None
        best_load = math.inf
        begin, end = month_bounds(month, self.base)
        for member in self.members:
            load = member.blocks.get(month, 0) / member.target
            if member.joins > begin:
                load *= (end - begin) / max(1440, end - member.joins)
            if load < best_load and member not in taken and member.may_fly(pairing, month):
                best, best_load = member, load
        if best is None:
            day = local(pairing.report, self.base).date()
            best = self.hire(None if day < date(YEAR, 2, 1) else day - timedelta(days=1))
        best.fly(pairing, month)
        return best


def build_roster(schedule: Schedule, month: date, seed: int) -> Roster:
    """The roster of a month at a base: every pairing that touches it, whole, with its crew."""
    base = schedule.base
    everything = build_pairings(schedule, month)
    months: dict[date, list[Pairing]] = defaultdict(list)
    for pairing in everything:
        months[local(pairing.report, base).date().replace(day=1)].append(pairing)
    pools = {position: _Crew(position, base, seed) for position in CODES}
    begin, _ = month_bounds(month, base)
    crews: list[tuple[Pairing, list[Member]]] = []
    for current in (_first_of(YEAR, number) for number in range(1, month.month + 1)):
        pairings = months[current]
        for position, pool in pools.items():
            cabin = position == "FLIGHT_ATTENDANT"
            pool.open_month(current, sum(p.block * (p.cabin if cabin else 1) for p in pairings))
        for pairing in pairings:
            crew = [
                pools["CAPTAIN"].take(pairing, current, []),
                pools["FIRST_OFFICER"].take(pairing, current, []),
            ]
            attendants: list[Member] = []
            for _ in range(pairing.cabin):
                attendants.append(pools["FLIGHT_ATTENDANT"].take(pairing, current, attendants))
            if max(pairing.release, pairing.scheduled_release) > begin:
                crews.append((pairing, crew + attendants))
    members = [member for pool in pools.values() for member in pool.members]
    return Roster(month, [pairing for pairing, _ in crews], members, crews)
