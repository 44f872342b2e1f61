-- Detection compares results that are up to date. Whose facts changed is computed again first, as the scheduler does every few minutes;
-- otherwise a change would be reported once as a wrong result and, when the result is right, once more as a payment that lacks it.

create or replace function review.bring_up_to_date(p_period pay.pay_periods, p_must boolean)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_period.status = 'OPEN'
    and exists (select from pay.dirty_marks as m where m.enterprise_id = p_period.enterprise_id and m.pay_period_id = p_period.id)
    and exists (
      select
      from pay.pay_runs as r
      where r.enterprise_id = p_period.enterprise_id and r.pay_period_id = p_period.id
        and r.kind = 'REGULAR' and r.state = 'published' and r.whole_period) then
    begin
      perform pay.refresh(p_period.enterprise_id, p_period.id);
    exception
      when sqlstate 'CP210' then
        -- Somebody is running it.
        if p_must then
          raise;
        end if;
    end;
  end if;
end
$$;
comment on function review.bring_up_to_date(pay.pay_periods, boolean) is
'Computes again who is marked dirty in an open period that was run.
p_period: period; p_must: whether a run in progress is an error (CP210); else who is marked stays so. Raises what pay.refresh() raises.';

-- Whose results are older than their facts: who is marked dirty. Facts of periods that aren't open don't change; corrections of them
-- are queued for back pay.

create or replace function review.changed_crew(p_period pay.pay_periods)
returns table (crew_member_id uuid, changed text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with marks as materialized (
    select m.crew_member_id, min(m.cause) as cause, min(m.marked_at) as marked_at
    from pay.dirty_marks as m
    where m.enterprise_id = p_period.enterprise_id and m.pay_period_id = p_period.id
    group by m.crew_member_id
  )
  select c.crew_member_id, format('%s changed at %s', min(m.cause), date_trunc('second', min(m.marked_at)))
  from marks as m
  join pay.pay_calculations as c
    on c.enterprise_id = p_period.enterprise_id and c.pay_period_id = p_period.id and (m.crew_member_id is null or c.crew_member_id = m.crew_member_id)
  group by c.crew_member_id
$$;
comment on function review.changed_crew(pay.pay_periods) is
'Crew members whose result of a period is older than their facts or terms, with what changed first.
p_period: period.';

create or replace function review.unsettled_crew(p_period pay.pay_periods, p_runs uuid[])
returns uuid[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(u.crew_member_id), '{}')
  from (
    select s.crew_member_id
    from review.changed_crew(p_period) as s
    where p_period.status in ('OPEN', 'PROCESSING')
    union
    select c.crew_member_id
    from pay.pay_runs as r
    join pay.pay_calculations as c on c.enterprise_id = r.enterprise_id and c.run_id = r.id
    where r.enterprise_id = p_period.enterprise_id and r.pay_period_id = p_period.id
      and r.kind = 'REGULAR' and r.state = 'published' and r.id <> all (p_runs)
  ) as u
$$;
comment on function review.unsettled_crew(pay.pay_periods, uuid[]) is
'Crew members whose result is not to be compared yet: their facts have changed since, or another result took its place meanwhile.
p_period: period; p_runs: the runs that were published when the comparison began.';

create or replace function review.published_runs(p_period pay.pay_periods)
returns uuid[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(r.id), '{}')
  from pay.pay_runs as r
  where r.enterprise_id = p_period.enterprise_id and r.pay_period_id = p_period.id and r.kind = 'REGULAR' and r.state = 'published'
$$;
comment on function review.published_runs(pay.pay_periods) is 'The published runs of a period.
p_period: period.';

create or replace function review.crew_but(p_period pay.pay_periods, p_crew uuid[], p_but uuid[])
returns uuid[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select case when p_but = '{}' then p_crew else array(
    select c.crew_member_id
    from (
      select r.crew_member_id from pay.pay_calculations as r where r.enterprise_id = p_period.enterprise_id and r.pay_period_id = p_period.id
      union
      select p.crew_member_id from pay.payroll_payments as p where p.enterprise_id = p_period.enterprise_id and p.pay_period_id = p_period.id
      union
      select d.crew_member_id from review.discrepancies as d where d.enterprise_id = p_period.enterprise_id and d.pay_period_id = p_period.id
    ) as c
    where c.crew_member_id <> all (p_but) and (p_crew is null or c.crew_member_id = any (p_crew))) end
$$;
comment on function review.crew_but(pay.pay_periods, uuid[], uuid[]) is
'Crew members of a period but for some.
p_period: period; p_crew: crew members, null for all; p_but: left out; with none left out it is p_crew.';
