-- Table grants of schema notify.

grant select on notify.notifications to crewpay_crew, crewpay_admin, crewpay_service;
grant select, insert, update, delete on notify.notifications to crewpay_definer;
