-- Overrides in a run (pay/overrides.sql says what they are).

create or replace function pay.override_term(p_component pay.component)
returns smallint
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
return -array_position(enum_range(null::pay.component), p_component)::smallint;
comment on function pay.override_term(pay.component) is 'The term number that lines of overrides cite.
p_component: what is overridden.';

create or replace function pay.overridden_component(p_term_no smallint)
returns pay.component
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
return (enum_range(null::pay.component))[-p_term_no];
comment on function pay.overridden_component(smallint) is 'The component that a line of an override is of; null for other lines.
p_term_no: the term number that it cites.';

-- In a run: the staged lines get what brings components and lines to the amounts set, lines first.
create or replace function pay.stage_overrides(p_enterprise uuid, p_period uuid, p_ruleset uuid, p_at timestamptz)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_of_lines boolean;
begin
  foreach v_of_lines in array array[true, false] loop
    if exists (
      select from pay.overrides as o
      where o.enterprise_id = p_enterprise and o.pay_period_id = p_period and o.state in ('APPROVED', 'RESET') and (o.term_code is not null) = v_of_lines) then
      execute $q$
        insert into _lines (no, term_no, node, quantity, cents)
        select p.no, pay.override_term(o.component), o.override_no, o.amount, (o.amount * 100)::integer - coalesce(computed.cents, 0)::integer
        from pay.overrides as o
        join _people as p on p.id = o.crew_member_id
        left join lateral (
          select sum(l.cents) as cents
          from _lines as l
          left join rules.ruleset_terms as t on t.enterprise_id = $1 and t.ruleset_id = $3 and t.term_no = l.term_no
          left join rules.union_contract_terms as u on u.enterprise_id = $1 and u.id = t.term_id
          where l.no = p.no
            and (t.component = o.component or not $5 and l.term_no = pay.override_term(o.component))
            and (not $5 or (u.term_code, t.level, l.node) = (o.term_code, o.level, o.node))
        ) as computed on true
        where o.enterprise_id = $1
          and o.pay_period_id = $2
          and o.approved_at <= $4
          and (o.reset_at is null or o.reset_at > $4)
          and (o.term_code is not null) = $5$q$
      using p_enterprise, p_period, p_ruleset, p_at, v_of_lines;
    end if;
  end loop;
end
$$;
comment on function pay.stage_overrides(uuid, uuid, uuid, timestamptz) is
'Adds to the staged lines what brings components and lines to the amounts that persons have set.
p_enterprise: tenant; p_period: period; p_ruleset: ruleset of the lines; p_at: overrides in force then.';
