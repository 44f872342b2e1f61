-- What is booked for an unpaid amount goes to a period that payroll has yet to pay, and only for crew members whose comparison stands:
-- functions whose arguments changed.

drop function if exists review.period_to_pay_in(review.claims);
drop function if exists review.auto_fix(review.detections, pay.pay_periods);
