-- JsonLogic to SQL: what it compiles to, what null does, and what is refused.
begin;
select plan(25);

create function pg_temp.sql_of(p_logic jsonb, p_level text default 'leg') returns text language sql as $$
  select (rules.compile_expression(p_logic, p_level, '{}', 'T_1 $.value')).sql
$$;
create function pg_temp.evaluated(p_logic jsonb) returns text language plpgsql as $$
declare
  v_result text;
begin
  execute format('select (%s)::text from (values (61, 60, null::text, null::integer, false)) as s (leg_block, leg_scheduled_block, leg_delay_code, leg_in_at, leg_cancelled)',
    pg_temp.sql_of(p_logic)) into v_result;
  return v_result;
end $$;

select is(pg_temp.evaluated('{"+": [{"var": "block"}, 1, 2]}'), '64', 'a sum');
select is(pg_temp.evaluated('{"-": [{"var": "block"}, 1]}'), '60', 'a difference');
select is(pg_temp.evaluated('{"-": [{"var": "block"}]}'), '-61', 'a negative');
select is(round(pg_temp.evaluated('{"/": [{"var": "block"}, 3]}')::numeric, 6), 20.333333, 'a quotient is not cut to an integer');
select is(pg_temp.evaluated('{"/": [{"var": "block"}, 0]}'), null, 'a quotient by zero is not known');
select is(pg_temp.evaluated('{"%": [{"var": "block"}, 7]}')::numeric, 5.0, 'a remainder');
select is(pg_temp.evaluated('{"max": [{"var": "block"}, {"var": "scheduled_block"}]}'), '61', 'the greatest');
select is(pg_temp.evaluated('{"max": [{"var": "block"}, {"var": "in_at"}]}'), null, 'the greatest of a missing value is not known');
select is(pg_temp.evaluated('{"min": [{"var": "block"}, {"var": ["in_at", 5]}]}'), '5', 'a default stands in for it');
select is(pg_temp.evaluated('{"round": [{"var": "block"}, 6, "half_up"]}')::numeric, 60::numeric, 'rounded to a step');
select is(pg_temp.evaluated('{"round": [{"var": "block"}, 6, "up"]}')::numeric, 66::numeric, 'rounded up');
select is(pg_temp.evaluated('{"==": [{"var": "delay_code"}, "MX"]}'), 'false', '== with null is false');
select is(pg_temp.evaluated('{"!=": [{"var": "delay_code"}, "MX"]}'), 'true', '!= with null is true');
select is(pg_temp.evaluated('{"in": [{"var": "delay_code"}, ["MX", "OPS"]]}'), 'false', 'in with null is false');
select is(pg_temp.evaluated('{"!": {"in": [{"var": "delay_code"}, ["MX"]]}}'), 'true', 'and its negation true');
select is(pg_temp.evaluated('{">": [{"var": "in_at"}, 5]}'), 'false', '> with null is false');
select is(pg_temp.evaluated('{"<": [60, {"var": "block"}, 62]}'), 'true', 'between');
select is(pg_temp.evaluated('{"if": [{"var": "cancelled"}, 1, {">": [{"var": "block"}, 60]}, 2, 3]}'), '2', 'the first branch that holds');
select is(pg_temp.evaluated('{"in": [{"var": "block"}, []]}'), 'false', 'nothing is in an empty list');
select is(pg_temp.evaluated('{"==": ["it''s @crew@ \\ %s $$", "it''s @crew@ \\ %s $$"]}'), 'true', 'a constant is itself, whatever it holds');
select is(position('@' in pg_temp.sql_of('{"==": [{"var": "delay_code"}, "@crew@"]}')), 0, 'a constant never looks like a token of the plan');

select throws_ok($$ select pg_temp.sql_of('{"var": "moon"}') $$, 'CP203', 'term T_1: unknown name moon', 'unknown names are refused');
select throws_ok($$ select pg_temp.sql_of('{"like": ["a", "b"]}') $$, 'CP204', null, 'unknown operators are refused');
select throws_ok($$ select pg_temp.sql_of('{"+": ["a", 1]}') $$, 'CP204', null, 'arithmetic on text is refused');
select throws_ok($$ select pg_temp.sql_of('{"round": [1, 0]}') $$, 'CP204', null, 'a step of zero is refused');

select * from finish();
rollback;
