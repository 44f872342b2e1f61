-- Everything plpgsql_check says about our plpgsql functions and procedures; trigger functions once for each table
-- they are attached to, with the transition tables of any of its triggers there (a function may branch on tg_op).
-- A trigger function without a trigger is reported by name: it cannot be checked.
with
  ours as (
    select oid, nspname from pg_namespace
    where nspowner = 'crewpay_owner'::regrole and nspname not in ('deploy', 'yoyo')
  ),
  functions as (
    select p.oid, p.prorettype in ('trigger'::regtype, 'event_trigger'::regtype) as is_trigger,
           coalesce(t.tgrelid, 0) as relation,
           max(t.tgoldtable::text) as old_table, max(t.tgnewtable::text) as new_table
    from pg_proc p
    join ours on ours.oid = p.pronamespace
    join pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
    left join pg_trigger t
      on t.tgfoid = p.oid and not t.tgisinternal and t.tgparentid = 0 and p.prorettype = 'trigger'::regtype
    where p.prokind in ('f', 'p')
    group by p.oid, coalesce(t.tgrelid, 0)
  )
select distinct f.oid::regprocedure::text as function, c.lineno, c.level, c.sqlstate, c.message
from functions f
cross join lateral plpgsql_check_function_tb(
  f.oid, f.relation,
  fatal_errors => false, security_warnings => true, performance_warnings => false,
  extra_warnings => true, other_warnings => true,
  oldtable => f.old_table, newtable => f.new_table
) c
where not f.is_trigger or f.relation <> 0
union all
select f.oid::regprocedure::text, 0, 'warning', null, 'trigger function without a trigger'
from functions f
where f.is_trigger and f.relation = 0
order by 1, 2, 5
