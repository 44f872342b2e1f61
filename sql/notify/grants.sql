-- Table grants of schema notify.

grant select on notify.notifications to crewpay_crew, crewpay_admin, crewpay_service;
grant select, insert, update, delete on notify.notifications to crewpay_definer;
grant select, insert, update, delete on notify.contacts, notify.preferences, notify.deliveries to crewpay_definer;
grant select on notify.contacts, notify.preferences to crewpay_crew;
grant select on notify.templates to crewpay_definer, crewpay_admin, crewpay_payroll;
grant select on notify.deliveries to crewpay_admin;
