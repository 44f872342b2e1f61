drop table notify.notifications;
drop table review.claims;
drop table review.discrepancies;
