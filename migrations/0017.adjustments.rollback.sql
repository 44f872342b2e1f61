-- The values added to pay.approval_subject stay: a type loses none, and 0013 drops it whole.
drop table pay.adjustments;
drop type pay.adjustment_state;
drop type pay.adjustment_source;
