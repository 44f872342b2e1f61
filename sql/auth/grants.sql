-- Table grants of schema auth.

grant select on auth.principals to crewpay_definer, crewpay_admin;
