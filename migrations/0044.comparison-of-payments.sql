-- What a comparison of payments goes through: what doesn't match, and what is known about it.

create type review.unmatched as (
  crew_member_id uuid,
  component pay.component,
  flight_id uuid,
  by_flight boolean,
  expected numeric,
  actual numeric,
  minutes numeric,
  lines bigint,
  paid_minutes numeric,
  paid_lines bigint,
  paid_in_all numeric,
  repeated numeric);
comment on type review.unmatched is
'A component of a crew member, or a flight of it, of which the recorded pay and what was paid differ. flight_id: the flight, null for what is
paid as a whole; by_flight: whether flights are named of the component; expected, actual: amounts, made good elsewhere counted as paid; minutes, paid_minutes: quantities; lines, paid_lines: how many lines
there are, null where there is none; paid_in_all: all that was paid of the component, null where nothing was; repeated: what was paid more than once.';

create type review.evidence as (
  crew_member_id uuid,
  component pay.component,
  flight_id uuid,
  expected numeric,
  actual numeric,
  minutes numeric,
  lines bigint,
  paid_minutes numeric,
  paid_lines bigint,
  repeated numeric,
  scheduled integer,
  flown integer,
  is_current boolean,
  crosses boolean,
  was_recorded boolean,
  other_rate numeric,
  clause_level text,
  line_level text,
  line_node bigint,
  line_flight uuid,
  boundary_trip bigint,
  term_code text);
comment on type review.evidence is
'What is known about an amount that differs; see review.unmatched for the first columns. flight_id: null for what is paid as a whole; scheduled, flown: minutes of
its flight; is_current: whether the crew member still has the leg; crosses: whether its trip crosses the edge of the period; was_recorded: whether a
result that was replaced had what was paid; other_rate: hourly rate that gives what was paid; clause_level: level of a clause that adds exactly
what is missing; line_level, line_node, line_flight: the one line of that amount; boundary_trip: a trip over the edge whose legs have that amount;
term_code: the clause concerned.';
