-- Phase 1, first pass. Every charge of a slice over operations of it, by their tokens.
-- in:  meter_portions (portion, slice), {weights} (slice, operation, weight), portions,
--      meter_slices (slice, denominator, coverage)
-- out: {parts} (grain: portion, operation)
create table {parts} as
select p.portion_id, w.slice_id, w.op_id, w.weight,
       cast({billed_part} as {int}) as billed,
       cast({effective_part} as {int}) as effective
from meter_portions mp
join portions p on p.portion_id = mp.portion_id
join meter_slices s on s.slice_id = mp.slice_id
join {weights} w on w.slice_id = mp.slice_id
where s.seen > 0;
