-- Rights are what sql/auth/role_matrix.sql states: nothing more, nothing less.
begin;
select plan(3);

select is_empty($$ select * from auth.role_rights except select * from auth.role_matrix $$,
  'nobody has a right that is not stated (grants changed: CREWPAY_WRITE_DOCS=1 pytest tests/attacks/test_6_role_matrix.py, and read the diff)');
select is_empty($$ select * from auth.role_matrix except select * from auth.role_rights $$,
  'nobody lacks a right that is stated');
select is_empty($$ select * from auth.role_rights where role = 'public' or rights ~ '\m(truncate|references|trigger)\M' $$,
  'nothing is granted to PUBLIC, and no TRUNCATE, REFERENCES or TRIGGER to anybody');

select * from finish();
rollback;
