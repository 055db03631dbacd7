-- Phase 1, last pass. Rests that stay open, and why.
-- in:  meter_rests (grain: portion), meter_slices, portions, assignments
-- out: rows of staged
insert into staged
select r.portion_id, 'direct', 'open', 'none', 1, null, n.model, n.token_kind,
       case when s.seen = 0 then 'no_operation_evidence'
            when not {rolls_up} and (s.billed_tokens is null or s.seen >= s.billed_tokens) then 'rounding'
            else 'telemetry_gap' end,
       'open', 'meter', 'tokens',
       greatest(s.denominator - s.seen, 0), s.denominator, 'tokens', 'unallocated',
       r.billed, r.effective
from meter_rests r
join meter_slices s on s.slice_id = r.slice_id
join portions p on p.portion_id = r.portion_id
join assignments n on n.assignment_id = p.assignment_id
where (r.billed <> 0 or r.effective <> 0)
  and not ({spread} and s.seen > 0 and s.billed_tokens is not null and s.seen < s.billed_tokens);
