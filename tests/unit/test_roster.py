"""The roster over a real month: what must hold for duties, rest, trips and crew."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from itertools import pairwise

import pytest

from crewpay_sync.importers.nycflights import Flight, Schedule, read_schedule
from crewpay_sync.importers.roster import (
    BLOCK_CAP,
    FREE,
    MAX_DUTY,
    REST,
    WEEK,
    Duty,
    Pairing,
    Roster,
    build_pairings,
    build_roster,
    month_bounds,
)

JANUARY, FEBRUARY = date(2013, 1, 1), date(2013, 2, 1)


@pytest.fixture(scope="module")
def schedule() -> Schedule:
    return read_schedule("MQ", "LGA")


@pytest.fixture(scope="module")
def roster(schedule: Schedule) -> Roster:
    return build_roster(schedule, JANUARY, seed=1)


def duties(roster: Roster) -> list[Duty]:
    return [duty for pairing in roster.pairings for duty in pairing.duties]


def by_member(roster: Roster) -> dict[str, list[Pairing]]:
    lines: dict[str, list[Pairing]] = defaultdict(list)
    for pairing, crew in roster.crews:
        for member in crew:
            lines[member.employee_id].append(pairing)
    return lines


def described(roster: Roster) -> list[tuple[object, ...]]:
    return [
        (p.number, p.report, p.release, [(leg.flight.key, leg.deadhead) for _, leg in p.legs()],
         [m.employee_id for m in crew])
        for p, crew in roster.crews
    ]  # fmt: skip


def test_the_month_has_the_departures_of_the_source(schedule: Schedule) -> None:
    begin, end = month_bounds(JANUARY, "LGA")
    month = [f for f in schedule.departures if begin <= f.out < end]
    assert len(month) == 1470
    assert sum(f.status == "ARRIVED" for f in month) == 1429
    assert sum(f.cancelled for f in month) == 38
    assert sum(f.status == "DIVERTED" for f in month) == 3


def test_returns_leave_after_their_outbound_arrived(schedule: Schedule) -> None:
    for back in schedule.returns:
        out = back.outbound
        assert out is not None
        assert back.source == "inferred"
        assert (back.origin, back.destination) == (out.destination, out.origin)
        assert back.out >= out.in_ + 30
        if back.cancelled:
            assert out.cancelled
            assert back.actual_out is None
        else:
            assert back.actual_out is not None
            assert out.actual_in is not None
            assert back.actual_out >= out.actual_in + 20


def test_no_flight_is_there_twice(schedule: Schedule) -> None:
    keys = [f.key for f in (*schedule.departures, *schedule.returns)]
    assert len(keys) == len(set(keys))


def test_duties_keep_within_14_hours(roster: Roster) -> None:
    assert max(d.scheduled_release - d.report for d in duties(roster)) <= MAX_DUTY
    assert max(d.release - d.report for d in duties(roster)) <= MAX_DUTY


def test_report_is_an_hour_before_the_first_departure(roster: Roster) -> None:
    assert all(d.report == d.legs[0].flight.out - 60 for d in duties(roster))
    assert all(d.release > d.report for d in duties(roster))


def test_trips_are_whole_and_legs_connect(roster: Roster) -> None:
    for pairing in roster.pairings:
        flights = [leg.flight for _, leg in pairing.legs()]
        assert flights[0].origin == "LGA"
        assert flights[-1].destination == "LGA"
        for one, following in pairwise(flights):
            assert one.destination == following.origin
            assert following.out >= one.in_ + 25
            if one.actual_in is not None and following.actual_out is not None:
                assert following.actual_out >= one.actual_in + 20


def test_layovers_are_ten_hours_of_rest(roster: Roster) -> None:
    for pairing in roster.pairings:
        for one, following in pairwise(pairing.duties):
            assert following.report - max(one.release, one.scheduled_release) >= REST


def test_nobody_is_on_two_duties_and_all_rest_ten_hours(roster: Roster) -> None:
    for line in by_member(roster).values():
        line.sort(key=lambda p: p.report)
        for one, following in pairwise(line):
            assert following.report - max(one.release, one.scheduled_release) >= REST


def test_everybody_has_30_free_hours_in_any_week(roster: Roster) -> None:
    for line in by_member(roster).values():
        line.sort(key=lambda p: p.report)
        free_until = line[0].report
        for one, following in zip([line[0], *line], line, strict=False):
            if following.report - max(one.release, one.scheduled_release) >= FREE:
                free_until = following.report
            assert following.duties[-1].report - free_until <= WEEK - FREE


def test_block_hours_are_those_of_a_line(roster: Roster) -> None:
    pilots = [m for m in roster.members if m.position == "CAPTAIN"]
    blocks = sorted(m.blocks.get(JANUARY, 0) / 60 for m in pilots)
    assert 70 <= sum(blocks) / len(blocks) <= 85
    assert blocks[-1] <= BLOCK_CAP / 60


def test_every_flight_is_operated_once_with_a_full_crew(roster: Roster) -> None:
    operating: dict[tuple[str, int, str], int] = defaultdict(int)
    for pairing, crew in roster.crews:
        positions = [m.position for m in crew]
        assert positions[:2] == ["CAPTAIN", "FIRST_OFFICER"]
        assert positions[2:] == ["FLIGHT_ATTENDANT"] * pairing.cabin
        assert len({m.employee_id for m in crew}) == len(crew)
        for _, leg in pairing.legs():
            if not leg.deadhead:
                operating[leg.flight.key] += 1
    assert set(operating.values()) == {1}


def test_few_flights_stay_without_crew(schedule: Schedule, roster: Roster) -> None:
    begin, end = month_bounds(JANUARY, "LGA")
    flights = [f for f in (*schedule.departures, *schedule.returns) if begin <= f.out < end]
    crewed = {id(leg.flight) for p in roster.pairings for _, leg in p.legs() if not leg.deadhead}
    assert sum(id(f) not in crewed for f in flights) < len(flights) * 0.03


def test_cancelled_flights_keep_their_crew(roster: Roster) -> None:
    cancelled = [leg for p in roster.pairings for _, leg in p.legs() if leg.flight.cancelled]
    assert cancelled
    assert not any(leg.deadhead for leg in cancelled)


def test_some_join_in_mid_month_and_fly_only_then(roster: Roster) -> None:
    begin, _ = month_bounds(JANUARY, "LGA")
    newcomers = [m for m in roster.members if m.joins > begin]
    assert 3 <= len(newcomers) <= 10
    lines = by_member(roster)
    for member in newcomers:
        assert all(p.report >= member.joins for p in lines.get(member.employee_id, []))


def test_the_same_seed_makes_the_same_roster(schedule: Schedule, roster: Roster) -> None:
    assert described(build_roster(read_schedule("MQ", "LGA"), JANUARY, seed=1)) == described(roster)
    assert described(build_roster(schedule, JANUARY, seed=2)) != described(roster)


def test_what_a_month_holds_does_not_depend_on_the_month_imported(schedule: Schedule, roster: Roster) -> None:
    later = build_roster(schedule, FEBRUARY, seed=1)
    january = {p.number: p for p in roster.pairings}
    shared = [(p, crew) for p, crew in later.crews if p.number in january]
    assert shared  # trips over the edge of the months
    crews = {p.number: [m.employee_id for m in crew] for p, crew in roster.crews}
    for pairing, crew in shared:
        assert pairing.release == january[pairing.number].release
        assert [m.employee_id for m in crew] == crews[pairing.number]
    known = {m.employee_id: m.hired for m in roster.members}
    assert known.items() <= {m.employee_id: m.hired for m in later.members}.items()


def test_trips_that_begin_on_the_last_day_are_whole(schedule: Schedule) -> None:
    _, end = month_bounds(JANUARY, "LGA")
    crossing = [p for p in build_pairings(schedule, JANUARY) if p.report < end < p.release]
    assert crossing
    assert all(p.duties[-1].legs[-1].flight.destination == "LGA" for p in crossing)


def test_release_after_a_cancelled_turn_comes_when_it_would_have_left() -> None:
    def flight(out: int, status: str) -> Flight:
        actual = None if status == "CANCELLED" else out
        return Flight(
            "XX1", "LGA", "BOS", out, out + 60, actual, actual and actual + 70, status, 0, None, None, 1
        )

    from crewpay_sync.importers.roster import Leg

    flown = Duty(1000, [Leg(flight(1060, "ARRIVED")), Leg(flight(1200, "ARRIVED"))])
    assert flown.release == 1270 + 15
    half = Duty(1000, [Leg(flight(1060, "ARRIVED")), Leg(flight(1200, "CANCELLED"))])
    assert half.release == 1200 + 15
    none = Duty(1000, [Leg(flight(1060, "CANCELLED")), Leg(flight(1200, "CANCELLED"))])
    assert none.release == 1060 + 15
