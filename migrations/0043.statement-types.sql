-- What a pay statement is made of: the places of its nodes, and its items.

create type pay.placed_node as (
  level text,
  node bigint,
  trip_at bigint,
  report bigint,
  leg_at bigint,
  heading text,
  rate numeric,
  facts jsonb);
comment on type pay.placed_node is
'A node of one result and its place in the statement. level, node: which; trip_at, report, leg_at: start of its trip, duty and leg (minutes since 1970 UTC),
null where it has none; heading: for people; rate: hourly rate; facts: its row of pay.nodes().';

create type pay.statement_item as (
  block integer,
  trip_at bigint,
  report bigint,
  leg_at bigint,
  level text,
  node bigint,
  rank integer,
  term_no smallint,
  heading text,
  component pay.component,
  term_code text,
  label text,
  quantity numeric,
  arithmetic text,
  amount numeric,
  outcome text);
comment on type pay.statement_item is
'An item of a pay statement, first the columns that it is ordered by. block: 0 total, 1 components, 2 trips, 3 spans, 4 adjustments, 5 overrides,
6 rule graph; rank: within its node; the others: see pay.explain().';
