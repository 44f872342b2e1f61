-- The fact catalogue: what a formula may read.
-- Expressions of leg, crew, trip and month facts are over the columns of the leg source (alias s, see rules.leg_source()).
-- Expressions of duty facts are aggregates over leg facts written {name}; %w is empty in the duty stage and the duty's window
-- where a leg reads its duty. A trip fact with {name} adds up duties in the same way. Expressions of day facts are over the day stage
-- (d.day, d.duties, d.trip_no, d.month_…). What a description calls internal is there for other facts and windows.
-- What begins with s. is known at the leg, so that formulas of every level may read it; what a span has come to is read by spans only.
-- Times are integer minutes since 1970 UTC; …_local are minutes of the local day.

insert into rules.facts (level, name, value_type, unit, nullable, expression, sums_upward, description) values
  -- crew
  ('crew', 'position', 'text', 'none', false, 's.crew_position', false, 'Position held.'),
  ('crew', 'base', 'text', 'none', false, 's.crew_base', false, 'Home base (IATA).'),
  ('crew', 'years_of_service', 'int', 'none', false, 's.crew_years_of_service', false, 'Completed years since hire on the first day of the contract month.'),
  ('crew', 'contract_type', 'text', 'none', false, 's.crew_contract_type', false, 'FULL_TIME, PART_TIME or CONTRACTOR.'),
  ('crew', 'union_status', 'text', 'none', false, 's.crew_union_status', false, 'UNION_MEMBER, NON_UNION or PROBATIONARY.'),
  ('crew', 'seniority_number', 'int', 'none', false, 's.crew_seniority_number', false, 'Rank by seniority.'),
  ('crew', 'base_offset', 'int', 'min', false, 's.base_offset', false, 'Base clock minus UTC before a clock change.'),
  ('crew', 'base_change', 'int', 'min', false, 's.base_change', false, 'When the base clock changes (far future: never).'),
  ('crew', 'base_offset_after', 'int', 'min', false, 's.base_offset_after', false, 'Base clock minus UTC after the change.'),
  ('crew', 'hire_date', 'int', 'none', false, 's.hire_day', false, 'Day of hire, as days since 1970.'),
  ('crew', 'rate', 'numeric', 'money', true, 's.crew_rate', false, 'Hourly rate of the node''s day; read by pay of legs, duties, days and trips.'),
  -- leg
  ('leg', 'position', 'text', 'none', false, 's.position', false, 'OPERATING, DEADHEAD, RESERVE or STANDBY.'),
  ('leg', 'activity', 'text', 'none', false, 's.activity', false, 'FLIGHT or the kind of ground activity.'),
  ('leg', 'position_flown', 'text', 'none', false, 'coalesce(s.position_flown, s.crew_position)', false, 'Crew position flown; the one held unless another is recorded.'),
  ('leg', 'block', 'int', 'min', true, 'case when s.is_flight and not s.cancelled then s.in_at - s.out_at else 0 end', true, 'Actual block, gate to gate; 0 when cancelled.'),
  ('leg', 'scheduled_block', 'int', 'min', false, 'case when s.is_flight then s.scheduled_in_at - s.scheduled_out_at else 0 end', true, 'Scheduled block.'),
  ('leg', 'operating_block', 'int', 'min', true, 'case when s.is_flight and not s.cancelled and s.position = ''OPERATING'' then s.in_at - s.out_at else 0 end', true, 'Actual block of legs operated.'),
  ('leg', 'deadhead_block', 'int', 'min', true, 'case when s.is_flight and not s.cancelled and s.position = ''DEADHEAD'' then s.in_at - s.out_at else 0 end', true, 'Actual block of deadhead legs.'),
  ('leg', 'published_credit', 'numeric', 'min', true, 's.published_credit', true, 'Published credit, credit minutes.'),
  ('leg', 'activity_minutes', 'int', 'min', false, 'case when s.is_flight then 0 else least(s.release_at, min(case when s.is_flight then s.report_at end) over (partition by s.no order by s.report_at range between 1 following and unbounded following)) - s.report_at end', true, 'Length of a ground activity; until the next report where a sequence follows.'),
  ('leg', 'sequence_follows', 'bool', 'none', false, '(not s.is_flight and coalesce(min(case when s.is_flight then s.report_at end) over (partition by s.no order by s.report_at range between 1 following and unbounded following) <= s.release_at, false))', false, 'Whether a flight duty reports before a ground activity ends.'),
  ('leg', 'called_out', 'bool', 'none', false, '(s.activity in (''RESERVE'', ''STANDBY'') and coalesce(min(case when s.is_flight then s.report_at end) over (partition by s.no order by s.report_at range between 1 following and unbounded following) <= s.release_at, false))', false, 'Whether a flight duty reports during a reserve or standby.'),
  ('leg', 'sit_after', 'int', 'min', false, 'case when s.cancelled then 0 else coalesce(lead(coalesce(s.out_at, s.scheduled_out_at)) over (partition by s.no, s.report_at, s.cancelled order by s.scheduled_out_at) - coalesce(s.in_at, s.scheduled_in_at), 0) end', true, 'Ground time to the next leg of the same duty that wasn''t cancelled, else 0.'),
  ('leg', 'scheduled_sit_after', 'int', 'min', false, 'coalesce(lead(s.scheduled_out_at) over (partition by s.no, s.report_at order by s.scheduled_out_at) - s.scheduled_in_at, 0)', true, 'Scheduled ground time to the next leg of the same duty, else 0.'),
  ('leg', 'out_at', 'int', 'min', true, 'case when s.cancelled then s.scheduled_out_at else s.out_at end', false, 'Actual time out (of a cancelled leg the scheduled one).'),
  ('leg', 'in_at', 'int', 'min', true, 'case when s.cancelled then s.scheduled_out_at else s.in_at end', false, 'Actual time in (a cancelled leg ends where it would have begun: nothing was flown).'),
  ('leg', 'scheduled_out_at', 'int', 'min', true, 's.scheduled_out_at', false, 'Scheduled time out.'),
  ('leg', 'scheduled_in_at', 'int', 'min', true, 's.scheduled_in_at', false, 'Scheduled time in.'),
  ('leg', 'departure_local', 'int', 'min', true, 'mod(coalesce(s.out_at, s.scheduled_out_at) + case when coalesce(s.out_at, s.scheduled_out_at) >= s.origin_change then s.origin_offset_after else s.origin_offset end, 1440)', false, 'Departure, minute of the day at the origin.'),
  ('leg', 'arrival_local', 'int', 'min', true, 'mod(coalesce(s.in_at, s.scheduled_in_at) + case when coalesce(s.in_at, s.scheduled_in_at) >= s.destination_change then s.destination_offset_after else s.destination_offset end, 1440)', false, 'Arrival, minute of the day at the destination.'),
  ('leg', 'origin', 'text', 'none', true, 's.origin', false, 'Origin (IATA).'),
  ('leg', 'destination', 'text', 'none', true, 's.destination', false, 'Destination (IATA).'),
  ('leg', 'aircraft_type', 'text', 'none', true, 's.aircraft_type', false, 'Aircraft model.'),
  ('leg', 'delay_code', 'text', 'none', true, 's.delay_code', false, 'Cause of the delay.'),
  ('leg', 'delay_minutes', 'int', 'min', false, 'coalesce(s.delay_minutes, 0)', true, 'Arrival delay.'),
  ('leg', 'cancelled', 'bool', 'none', false, 's.cancelled', false, 'Whether the flight was cancelled.'),
  ('leg', 'diverted', 'bool', 'none', false, 's.diverted', false, 'Whether the flight was diverted.'),
  ('leg', 'international', 'bool', 'none', false, '(s.origin_country is distinct from s.destination_country)', false, 'Whether it crosses a border.'),
  ('leg', 'international_legs', 'int', 'none', false, '(s.origin_country is distinct from s.destination_country)::int', true, '1 for a leg that crosses a border.'),
  ('leg', 'legs', 'int', 'none', false, '1', true, 'Number of legs.'),
  ('leg', 'report_at', 'int', 'min', false, 's.report_at', false, 'Report of the leg''s duty.'),
  ('leg', 'release_at', 'int', 'min', true, 's.release_at', false, 'Release recorded with the leg.'),
  ('leg', 'scheduled_report_at', 'int', 'min', false, 's.scheduled_report_at', false, 'Scheduled out less the contract''s report time.'),
  ('leg', 'scheduled_release_at', 'int', 'min', false, 's.scheduled_release_at', false, 'Scheduled in plus the contract''s release time.'),
  ('leg', 'origin_offset', 'int', 'min', true, 's.origin_offset', false, 'Origin clock minus UTC before a clock change.'),
  ('leg', 'origin_change', 'int', 'min', true, 's.origin_change', false, 'When the origin clock changes.'),
  ('leg', 'origin_offset_after', 'int', 'min', true, 's.origin_offset_after', false, 'Origin clock minus UTC after the change.'),
  ('leg', 'destination_offset', 'int', 'min', true, 's.destination_offset', false, 'Internal: destination clock minus UTC before a clock change.'),
  ('leg', 'destination_change', 'int', 'min', true, 's.destination_change', false, 'Internal: when the destination clock changes.'),
  ('leg', 'destination_offset_after', 'int', 'min', true, 's.destination_offset_after', false, 'Internal: destination clock minus UTC after the change.'),
  ('leg', 'sequence_at', 'int', 'min', false, 'coalesce(s.scheduled_out_at, s.report_at)', false, 'Internal: what orders the legs of a duty.'),
  ('leg', 'next_report_at', 'int', 'min', true, '(case when s.trip_no is not null then min(s.report_at) over (partition by s.no, s.trip_no order by s.report_at range between 1 following and unbounded following) end)', false, 'Internal: report of the trip''s next duty.'),
  ('leg', 'previous_report_at', 'int', 'min', true, '(case when s.trip_no is not null then max(s.report_at) over (partition by s.no, s.trip_no order by s.report_at range between unbounded preceding and 1 preceding) end)', false, 'Internal: report of the trip''s duty before.'),
  ('leg', 'trip_end_at', 'int', 'min', true, 's.trip_end_at', false, 'Internal: end of the leg''s trip.'),
  ('leg', 'period_end_at', 'int', 'min', false, '((@period_last_day@ + 1) * 1440 - case when (@period_last_day@ + 1) * 1440 - s.base_offset_after >= s.base_change then s.base_offset_after else s.base_offset end)', false, 'Internal: midnight after the period''s last day on the base clock.'),
  ('leg', 'base_offset', 'int', 'min', false, 's.base_offset', false, 'Base clock minus UTC before a clock change.'),
  ('leg', 'base_change', 'int', 'min', false, 's.base_change', false, 'When the base clock changes.'),
  ('leg', 'base_offset_after', 'int', 'min', false, 's.base_offset_after', false, 'Base clock minus UTC after a clock change.'),
  -- duty
  ('duty', 'report_at', 'int', 'min', false, 'min({report_at})%w', false, 'Report.'),
  ('duty', 'release_at', 'int', 'min', true, 'max({release_at})%w', false, 'Release.'),
  ('duty', 'duty_minutes', 'int', 'min', true, '(max({release_at})%w - min({report_at})%w)', true, 'Length of the duty period, report to release.'),
  ('duty', 'scheduled_duty_minutes', 'int', 'min', true, '(max({scheduled_release_at})%w - min({scheduled_report_at})%w)', true, 'Scheduled length of the duty period.'),
  ('duty', 'report_local', 'int', 'min', false, 'mod(min({report_at} + case when {report_at} >= {base_change} then {base_offset_after} else {base_offset} end)%w, 1440)', false, 'Report, minute of the day on the base clock.'),
  ('duty', 'release_local', 'int', 'min', true, 'mod(max({release_at} + case when {release_at} >= {base_change} then {base_offset_after} else {base_offset} end)%w, 1440)', false, 'Release, minute of the day on the base clock.'),
  ('duty', 'away_minutes', 'int', 'min', true, '(coalesce(min({next_report_at})%w, max({trip_end_at})%w, max({release_at})%w) - min({report_at})%w)', true, 'Report to the next report of the trip, or to its end; without a trip to release.'),
  ('duty', 'is_first', 'bool', 'none', false, '(max({previous_report_at})%w is null)', false, 'Whether it is the first duty of its trip.'),
  ('duty', 'is_last', 'bool', 'none', false, '(min({next_report_at})%w is null)', false, 'Whether it is the last duty of its trip.'),
  ('duty', 'closed', 'bool', 'none', false, 'coalesce(max({release_at})%w <= max({period_end_at})%w, false)', false, 'Whether it is released by the end of the period''s last day.'),
  ('duty', 'open_duties', 'int', 'none', false, '(min({report_at})%w <= max({period_end_at})%w and coalesce(max({release_at})%w > max({period_end_at})%w, true))::int', true, '1 where the duty is in progress at the end of the period''s last day.'),
  ('duty', 'closed_duties', 'int', 'none', false, 'coalesce(max({release_at})%w <= max({period_end_at})%w, false)::int', true, '1 where the duty is released by the end of the period''s last day.'),
  ('duty', 'international', 'bool', 'none', false, '(sum({international_legs})%w > 0)', false, 'Whether a leg crosses a border.'),
  ('duty', 'sequence_at', 'int', 'min', false, 'min({sequence_at})%w', false, 'Internal: what orders a trip''s duties.'),
  ('duty', 'origin_offset', 'int', 'min', true, '((min({sequence_at}::bigint * 4096 + {origin_offset} + 2048)%w & 4095) - 2048)::integer', false, 'Internal: departure of the first leg: clock minus UTC before a clock change.'),
  ('duty', 'origin_change', 'int', 'min', true, '(min({sequence_at}::bigint * 4294967296 + {origin_change})%w & 4294967295)::integer', false, 'Internal: departure of the first leg: when the clock changes.'),
  ('duty', 'origin_offset_after', 'int', 'min', true, '((min({sequence_at}::bigint * 4096 + {origin_offset_after} + 2048)%w & 4095) - 2048)::integer', false, 'Internal: departure of the first leg: clock minus UTC after the change.'),
  ('duty', 'destination_offset', 'int', 'min', true, '((max({sequence_at}::bigint * 4096 + {destination_offset} + 2048)%w & 4095) - 2048)::integer', false, 'Internal: arrival of the last leg: clock minus UTC before a clock change.'),
  ('duty', 'destination_change', 'int', 'min', true, '(max({sequence_at}::bigint * 4294967296 + {destination_change})%w & 4294967295)::integer', false, 'Internal: arrival of the last leg: when the clock changes.'),
  ('duty', 'destination_offset_after', 'int', 'min', true, '((max({sequence_at}::bigint * 4096 + {destination_offset_after} + 2048)%w & 4095) - 2048)::integer', false, 'Internal: arrival of the last leg: clock minus UTC after the change.'),
  ('leg', 'duties', 'int', 'none', false, '(row_number() over (partition by s.no, s.report_at order by s.leg_no) = 1)::int', true, '1 on the first leg of a duty, so that it sums to the number of duties.'),
  ('leg', 'duty_day', 'int', 'none', false, '(row_number() over (partition by s.no, (s.report_at + case when s.report_at >= s.base_change then s.base_offset_after else s.base_offset end) / 1440 order by s.report_at, s.leg_no) = 1)::int', true, '1 on the first leg of a day, so that it sums to the number of days with a duty.'),
  -- day
  ('day', 'date', 'int', 'none', false, 'd.day', false, 'Day, as days since 1970 on the base clock.'),
  ('day', 'weekday', 'int', 'none', false, 'mod(d.day + 3, 7) + 1', false, 'ISO weekday, Monday 1.'),
  ('day', 'day_duties', 'int', 'none', false, 'd.duties', false, 'Duties that report on the day.'),
  ('day', 'empty', 'bool', 'none', false, '(d.duties = 0)', false, 'A day of a trip on which no duty is in progress.'),
  ('day', 'in_trip', 'bool', 'none', false, '(d.trip_no is not null)', false, 'Whether the day belongs to a trip.'),
  ('day', 'duty_day', 'int', 'none', false, '(d.duties > 0)::int', false, '1 if a duty reports on the day.'),
  ('day', 'day_off', 'bool', 'none', false, '(((d.month_days_off >> mod(d.day, 64)) & 1) = 1)', false, 'Whether the day was awarded off.'),
  -- trip
  ('trip', 'tafb', 'int', 'min', true, '(s.trip_back_at - s.trip_away_at)', true, 'Time away from base.'),
  ('trip', 'away_at', 'int', 'min', true, 's.trip_away_at', false, 'Start of the time away from base, as the contract counts it (tafb_from).'),
  ('trip', 'back_at', 'int', 'min', true, 's.trip_back_at', false, 'End of the time away from base, as the contract counts it.'),
  ('trip', 'scheduled_tafb', 'int', 'min', true, '(s.trip_scheduled_end_at - s.trip_scheduled_start_at)', true, 'Scheduled time away from base.'),
  ('trip', 'days', 'int', 'none', true, '((s.trip_end_at - 1 + case when s.trip_end_at > s.base_change then s.base_offset_after else s.base_offset end) / 1440 - (s.trip_start_at + case when s.trip_start_at >= s.base_change then s.base_offset_after else s.base_offset end) / 1440 + 1)', false, 'Dates touched on the base clock; a trip that ends at midnight doesn''t touch the next.'),
  ('trip', 'start_at', 'int', 'min', true, 's.trip_start_at', false, 'Start of the trip.'),
  ('trip', 'end_at', 'int', 'min', true, 's.trip_end_at', false, 'End of the trip.'),
  ('trip', 'scheduled_end_at', 'int', 'min', true, 's.trip_scheduled_end_at', false, 'Scheduled end of the trip.'),
  ('trip', 'start_date', 'int', 'none', true, '((s.trip_start_at + case when s.trip_start_at >= s.base_change then s.base_offset_after else s.base_offset end) / 1440)', false, 'First day of the trip, as days since 1970 on the base clock.'),
  ('trip', 'trips', 'int', 'none', false, '1', true, 'Number of trips.'),
  ('trip', 'awarded_credit', 'numeric', 'min', true, 's.trip_awarded_credit', true, 'Credit at award, credit minutes.'),
  ('trip', 'pickup', 'text', 'none', true, 's.trip_pickup', false, 'How the trip came onto the line.'),
  ('trip', 'from_reserve', 'bool', 'none', true, 's.trip_from_reserve', false, 'Whether it was assigned from reserve.'),
  ('duty', 'version_day', 'int', 'none', false, '((s.report_at + case when s.report_at >= s.base_change then s.base_offset_after else s.base_offset end) / 1440)', false, 'Day (base clock, since 1970) on which the duty began: decides versions where the contract says duty_start.'),
  ('trip', 'version_day', 'int', 'none', false, '((coalesce(s.trip_start_at, s.report_at) + case when coalesce(s.trip_start_at, s.report_at) >= s.base_change then s.base_offset_after else s.base_offset end) / 1440)', false, 'Day (base clock, since 1970) whose version of the contract applies: the trip''s start, or the duty''s without a trip.'),
  ('trip', 'international', 'bool', 'none', false, '(sum({international_legs})%w > 0)', false, 'Whether a leg crosses a border.'),
  ('trip', 'sequence_at', 'int', 'min', false, 'min({sequence_at})%w', false, 'Internal: what orders a trip''s duties.'),
  ('trip', 'origin_offset', 'int', 'min', true, '((min({sequence_at}::bigint * 4096 + {origin_offset} + 2048)%w & 4095) - 2048)::integer', false, 'Internal: departure of the first leg: clock minus UTC before a clock change.'),
  ('trip', 'origin_change', 'int', 'min', true, '(min({sequence_at}::bigint * 4294967296 + {origin_change})%w & 4294967295)::integer', false, 'Internal: departure of the first leg: when the clock changes.'),
  ('trip', 'origin_offset_after', 'int', 'min', true, '((min({sequence_at}::bigint * 4096 + {origin_offset_after} + 2048)%w & 4095) - 2048)::integer', false, 'Internal: departure of the first leg: clock minus UTC after the change.'),
  ('trip', 'destination_offset', 'int', 'min', true, '((max({sequence_at}::bigint * 4096 + {destination_offset} + 2048)%w & 4095) - 2048)::integer', false, 'Internal: arrival of the last leg: clock minus UTC before a clock change.'),
  ('trip', 'destination_change', 'int', 'min', true, '(max({sequence_at}::bigint * 4294967296 + {destination_change})%w & 4294967295)::integer', false, 'Internal: arrival of the last leg: when the clock changes.'),
  ('trip', 'destination_offset_after', 'int', 'min', true, '((max({sequence_at}::bigint * 4096 + {destination_offset_after} + 2048)%w & 4095) - 2048)::integer', false, 'Internal: arrival of the last leg: clock minus UTC after the change.'),
  -- month
  ('month', 'days', 'int', 'none', false, 's.month_days', false, 'Days of the contract month.'),
  ('month', 'work_days', 'int', 'none', true, 's.month_work_days', false, 'Work days awarded.'),
  ('month', 'unpaid_days', 'int', 'none', false, 's.month_unpaid_days', false, 'Days of unpaid leave and days outside employment.'),
  ('month', 'days_off', 'int', 'none', false, 's.month_days_off', false, 'Internal: days awarded off, one bit a day.'),
  ('month', 'line_type', 'text', 'none', false, 's.month_line_type', false, 'LINE or RESERVE.'),
  ('month', 'award_credit', 'numeric', 'min', true, 's.month_award_credit', false, 'Credit of the final bid award, credit minutes.'),
  ('month', 'is_last', 'bool', 'none', false, '@is_last@', false, 'Whether the period is the month''s last.'),
  ('month', 'projected_credit', 'numeric', 'min', false, 'coalesce(projected.credit, 0)', false, 'Credit of the whole month as flown so far and as scheduled for the rest, of legs, duties, days and trips; read by advances only.'),
  ('month', 'period_index', 'int', 'none', false, '@period_index@', false, 'Number of the period within its month, from 1.'),
  -- Spans: facts of a span at a cut (see rules.span_source()): u the cut, c credit from below, duties of the span.
  ('period', 'days', 'int', 'none', false, '(u.upto - u.first_day + 1)', false, 'Days of the pay period.'),
  ('period', 'period_index', 'int', 'none', false, 'u.period_index', false, 'Number of the period within its month, from 1.'),
  ('period', 'is_last', 'bool', 'none', false, 'u.is_last', false, 'Whether it is the month''s last.'),
  ('period', 'first_day', 'int', 'none', false, 'u.first_day', false, 'First day of the period, as days since 1970.'),
  ('period', 'active_days', 'int', 'none', false, 'coalesce(duties.active_days, 0)', false, 'Days with a duty, period.'),
  ('period', 'paid_credit', 'numeric', 'min', false, 'coalesce(c.paid_credit, 0)', false, 'Credit paid in the period.'),
  ('period', 'guarantee_credit', 'numeric', 'min', false, 'coalesce(c.guarantee_credit, 0)', false, 'Credit that counts toward the guarantee, period.'),
  ('period', 'threshold_credit', 'numeric', 'min', false, 'coalesce(c.threshold_credit, 0)', false, 'Credit that counts toward the overtime threshold, period.'),
  ('period', 'open_duties', 'int', 'none', false, 'coalesce(duties.open_duties, 0)', false, 'Duties that have reported by midnight after the last day and are released later.'),
  ('period', 'closed_duties', 'int', 'none', false, 'coalesce(duties.closed_duties, 0)', false, 'Duties released in the period, midnight after the last day included.'),
  ('month', 'first_day', 'int', 'none', false, 'u.first_day', false, 'First day of the contract month, as days since 1970.'),
  ('month', 'active_days', 'int', 'none', false, 'coalesce(duties.active_days, 0)', false, 'Days with a duty, month to date.'),
  ('month', 'paid_credit', 'numeric', 'min', false, 'coalesce(c.paid_credit, 0)', false, 'Credit paid in the month to date.'),
  ('month', 'guarantee_credit', 'numeric', 'min', false, 'coalesce(c.guarantee_credit, 0)', false, 'Credit that counts toward the guarantee, month to date.'),
  ('month', 'threshold_credit', 'numeric', 'min', false, 'coalesce(c.threshold_credit, 0)', false, 'Credit that counts toward the overtime threshold, month to date.'),
  ('month', 'open_duties', 'int', 'none', false, 'coalesce(duties.open_duties, 0)', false, 'Duties that have reported by midnight after the last day and are released later.'),
  ('month', 'closed_duties', 'int', 'none', false, 'coalesce(duties.closed_duties, 0)', false, 'Duties released in the month to date, midnight after the last day included.'),
  ('quarter', 'first_day', 'int', 'none', false, 'u.first_day', false, 'First day of the contract quarter, as days since 1970.'),
  ('quarter', 'active_days', 'int', 'none', false, 'coalesce(duties.active_days, 0)', false, 'Days with a duty, quarter to date.'),
  ('quarter', 'paid_credit', 'numeric', 'min', false, 'coalesce(c.paid_credit, 0)', false, 'Credit paid in the quarter to date.'),
  ('quarter', 'guarantee_credit', 'numeric', 'min', false, 'coalesce(c.guarantee_credit, 0)', false, 'Credit that counts toward the guarantee, quarter to date.'),
  ('quarter', 'threshold_credit', 'numeric', 'min', false, 'coalesce(c.threshold_credit, 0)', false, 'Credit that counts toward the overtime threshold, quarter to date.'),
  ('year', 'first_day', 'int', 'none', false, 'u.first_day', false, 'First day of the contract year, as days since 1970.'),
  ('year', 'active_days', 'int', 'none', false, 'coalesce(duties.active_days, 0)', false, 'Days with a duty, year to date.'),
  ('year', 'paid_credit', 'numeric', 'min', false, 'coalesce(c.paid_credit, 0)', false, 'Credit paid in the year to date.'),
  ('year', 'guarantee_credit', 'numeric', 'min', false, 'coalesce(c.guarantee_credit, 0)', false, 'Credit that counts toward the guarantee, year to date.'),
  ('year', 'threshold_credit', 'numeric', 'min', false, 'coalesce(c.threshold_credit, 0)', false, 'Credit that counts toward the overtime threshold, year to date.')
on conflict (level, name) do update set
  value_type = excluded.value_type,
  unit = excluded.unit,
  nullable = excluded.nullable,
  expression = excluded.expression,
  sums_upward = excluded.sums_upward,
  description = excluded.description;

-- Facts that the caller's airline declares, beside those of the catalogue. A value of another type than declared counts as missing.
create or replace function rules.attribute_number(p_attributes jsonb, p_path text[], p_whole boolean)
returns numeric
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case when jsonb_typeof(p_attributes #> p_path) = 'number' then
      case when not p_whole or (p_attributes #>> p_path)::numeric = trunc((p_attributes #>> p_path)::numeric)
          and abs((p_attributes #>> p_path)::numeric) < 2000000000
        then (p_attributes #>> p_path)::numeric end end
$$;
comment on function rules.attribute_number(jsonb, text[], boolean) is
'A number among the attributes of a row; null where there is none.
p_attributes: attributes; p_path: keys; p_whole: whole numbers only.';

create or replace function rules.attribute_text(p_attributes jsonb, p_path text[], p_type text)
returns text
language sql
immutable
parallel safe
return case when jsonb_typeof(p_attributes #> p_path) = p_type then p_attributes #>> p_path end;
comment on function rules.attribute_text(jsonb, text[], text) is
'A text or truth value among the attributes of a row, as text; null where there is none.
p_attributes: attributes; p_path: keys; p_type: string or boolean.';

create or replace view rules.known_facts
with (security_invoker = true, security_barrier = true)
as
select f.level, f.name, f.value_type, f.unit, f.nullable, f.expression, f.sums_upward, f.description, false as declared
from rules.facts as f
union all
select d.level, d.name, d.value_type, d.unit, true,
  case d.value_type
    when 'int' then format('rules.attribute_number(s.%s, string_to_array(%L, ''.''), true)::integer', source_column.name, array_to_string(d.path, '.'))
    when 'numeric' then format('rules.attribute_number(s.%s, string_to_array(%L, ''.''), false)', source_column.name, array_to_string(d.path, '.'))
    when 'text' then format('rules.attribute_text(s.%s, string_to_array(%L, ''.''), ''string'')', source_column.name, array_to_string(d.path, '.'))
    else format('rules.attribute_text(s.%s, string_to_array(%L, ''.''), ''boolean'')::boolean', source_column.name, array_to_string(d.path, '.')) end,
  d.level in ('leg', 'trip') and d.value_type in ('int', 'numeric'), d.description, true
from rules.declared_facts as d
cross join lateral (select case d.source when 'flights' then 'flight_attributes' when 'crew_assignments' then 'leg_attributes'
  when 'trips' then 'trip_attributes' when 'crew_months' then 'month_attributes' else 'crew_attributes' end) as source_column (name);
comment on view rules.known_facts is 'What formulas of the caller''s enterprise may read: the catalogue, and what the airline declared.';
comment on column rules.known_facts.level is 'Level the fact belongs to.';
comment on column rules.known_facts.name is 'Name used in formulas.';
comment on column rules.known_facts.value_type is 'int, numeric, text or bool.';
comment on column rules.known_facts.unit is 'min, money, or none.';
comment on column rules.known_facts.nullable is 'Whether it can be missing.';
comment on column rules.known_facts.expression is 'SQL over the columns of the leg source; see rules.facts.';
comment on column rules.known_facts.sums_upward is 'Whether every level above has it as a sum.';
comment on column rules.known_facts.description is 'What it means.';
comment on column rules.known_facts.declared is 'Whether the airline declared it itself.';
grant select on rules.known_facts to crewpay_definer, crewpay_admin, crewpay_payroll, crewpay_service;
