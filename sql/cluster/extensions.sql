-- Extensions, in schema ext, made by the operator (a superuser, or an administrator who may create these).
-- pg_cron exists once in a cluster: only in the database that cron.database_name names. (pg_settings hides that setting
-- from an operator who may not read it, where current_setting would fail.)

create schema if not exists ext;
comment on schema ext is 'Extensions.';
grant usage on schema ext to public;

do $extensions$
declare
  v_extension text;
  v_wanted text[] := array['pgcrypto', 'btree_gist', 'pg_stat_statements'];
begin
  if exists (select from pg_catalog.pg_settings where name = 'cron.database_name' and setting = current_database()) then
    v_wanted := v_wanted || 'pg_cron'::text;
  end if;
  foreach v_extension in array v_wanted loop
    continue when exists (select from pg_catalog.pg_extension where extname = v_extension);
    if not exists (select from pg_catalog.pg_available_extensions where name = v_extension) then
      raise exception using
        errcode = 'CP905',
        message = format('extension %s is not available on this server', v_extension),
        hint = case v_extension
          when 'pg_cron' then 'Install the package postgresql-15-cron, then restart the server.'
          else 'Install PostgreSQL''s contrib modules on the server.'
        end;
    end if;
    begin
      if v_extension = 'pg_cron' then
        create extension pg_cron;
      else
        execute format('create extension %I schema ext', v_extension);
      end if;
    exception when insufficient_privilege then
      raise exception using
        errcode = 'CP905',
        message = format('%s may not create extension %s', current_user, v_extension),
        hint = format('As superuser, in database %s: create extension %s%s', current_database(), v_extension,
                      case v_extension when 'pg_cron' then ';' else ' schema ext;' end);
    end;
  end loop;
end
$extensions$;

do $cron$
begin
  if exists (select from pg_catalog.pg_extension where extname = 'pg_cron') then
    grant usage on schema cron to crewpay_jobs, crewpay_owner;
    grant execute on function cron.schedule(text, text), cron.schedule(text, text, text),
      cron.unschedule(bigint), cron.unschedule(name),
      cron.alter_job(bigint, text, text, text, text, boolean) to crewpay_jobs;
    grant select on cron.job, cron.job_run_details to crewpay_jobs, crewpay_owner;
    grant delete on cron.job_run_details to crewpay_jobs;
  end if;
end
$cron$;
