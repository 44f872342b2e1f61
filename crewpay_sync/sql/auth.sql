-- name: enterprises
select e.slug, e.id from platform.enterprises e where e.deleted_at is null order by e.slug;

-- name: crew_member
select c.id from crew.crew_members c where c.enterprise_id = %(enterprise)s and c.employee_id = %(employee)s;

-- name: user
select u.id from platform.users u where u.enterprise_id = %(enterprise)s and u.email = %(email)s;

-- name: mint
select auth.mint_token(%(login)s, %(enterprise)s, %(uid)s, %(minutes)s::integer) as token;

-- name: revoke
select auth.revoke_token(%(jti)s);

-- name: rotate
select auth.rotate_key(%(revoke_old)s) as kid;

-- name: keys
select k.kid, k.state, k.created_at, k.changed_at from auth.signing_keys k order by k.created_at desc, k.kid;

-- name: role_exists
select exists (select from pg_catalog.pg_roles r where r.rolname = %(login)s) as found;

-- name: create_pool
select p.login::text, p.role::text, p.active from auth.create_pool(%(login)s, %(role)s::auth.app_role) p;

-- name: principals
select p.login::text, e.slug as enterprise, p.role::text,
  coalesce(c.employee_id || ' ' || c.first_name || ' ' || c.last_name, u.full_name, u.email) as person,
  p.active, r.rolname is not null as can_log_in
from auth.principals p
join platform.enterprises e on e.id = p.enterprise_id
left join crew.crew_members c on c.enterprise_id = p.enterprise_id and c.id = p.crew_member_id
left join platform.users u on u.enterprise_id = p.enterprise_id and u.id = p.user_id
left join pg_catalog.pg_roles r on r.rolname = p.login and r.rolcanlogin
where %(slug)s::text is null or e.slug = %(slug)s
union all
select l.login::text, null, l.role::text, 'pool: by token only', l.active, r.rolname is not null
from auth.pools l
left join pg_catalog.pg_roles r on r.rolname = l.login and r.rolcanlogin
order by 2 nulls first, 3, 1;

-- name: collect
select auth.collect_refusals() as collected;

-- name: events
select e.happened_at, e.event, e.login::text, e.reason, e.repeated
from auth.token_events e
order by e.happened_at desc, e.id desc
limit %(limit)s;
