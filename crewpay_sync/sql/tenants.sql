-- name: enterprise
insert into platform.enterprises (id, slug, name) values (%s, %s, %s)
on conflict (slug) do nothing;

-- name: enterprise_id
select id from platform.enterprises where slug = %s;

-- name: user
insert into platform.users (enterprise_id, id, email, full_name, person_id) values (%s, %s, %s, %s, %s)
on conflict do nothing;

-- name: person_of_crew
select person_id from crew.crew_members where enterprise_id = %s and id = %s;

-- name: person_of_user
select person_id from platform.users where enterprise_id = %s and id = %s;

-- name: role_state
select r.rolsuper,
  coalesce(array_agg(g.rolname::text) filter (where g.rolname is not null), '{}') as groups
from pg_roles r
left join pg_auth_members m on m.member = r.oid
left join pg_roles g on g.oid = m.roleid
where r.rolname = %s
group by r.rolsuper;

-- name: principal
insert into auth.principals as p (login, enterprise_id, role, person_id, crew_member_id, user_id)
values (%s, %s, %s, %s, %s, %s)
on conflict (login, enterprise_id) do update
  set role = excluded.role, person_id = excluded.person_id,
    crew_member_id = excluded.crew_member_id, user_id = excluded.user_id
  where (p.role, p.person_id, p.crew_member_id, p.user_id)
    is distinct from (excluded.role, excluded.person_id, excluded.crew_member_id, excluded.user_id);

-- name: session
select session_user::text as login,
  (select rolsuper from pg_roles where rolname = session_user) as superuser,
  exists (
    select from platform.enterprises e where e.id = auth.enterprise_id() and e.slug = %s) as is_principal;
