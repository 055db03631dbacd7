-- Phase 1. Meters: every charge of a slice over its operations, the rest left open.
-- in:  meter_portions (portion, slice), meter_weights (slice, operation, weight),
--      meter_slices (slice, denominator, coverage), ops, actors, portions, assignments
-- out: meter_parts (grain: portion, operation), rows of staged and staged_operations
create table meter_parts as
select p.portion_id, w.slice_id, w.op_id, w.weight,
       cast({billed_part} as {int}) as billed,
       cast({effective_part} as {int}) as effective
from meter_portions mp
join portions p on p.portion_id = mp.portion_id
join meter_slices s on s.slice_id = mp.slice_id
join meter_weights w on w.slice_id = mp.slice_id
where s.seen > 0;

insert into staged
select mp.portion_id, 'direct', 'own', 'operations', o.who_id,
       o.operation_name, n.model, n.token_kind,
       case when a.tenant_id is null then 'identity_missing' end,
       case when a.tenant_id is null then 'identity_missing' end,
       'meter', 'tokens', cast(sum(mp.weight) as hugeint), s.denominator, 'tokens',
       case when a.tenant_id is null then 'unallocated'
            when s.within_tolerance and not bool_or(o.estimated) then 'metered'
            else 'estimated' end,
       cast(sum(mp.billed) as {int}), cast(sum(mp.effective) as {int})
from meter_parts mp
join ops o on o.op_id = mp.op_id
join actors a on a.who_id = o.who_id
join portions p on p.portion_id = mp.portion_id
join assignments n on n.assignment_id = p.assignment_id
join meter_slices s on s.slice_id = mp.slice_id
group by mp.portion_id, o.who_id, a.tenant_id, o.operation_name, n.model, n.token_kind,
         s.denominator, s.within_tolerance;

insert into staged_operations
select mp.portion_id, mp.op_id, 'direct', n.token_kind, mp.weight, mp.billed, mp.effective
from meter_parts mp
join portions p on p.portion_id = mp.portion_id
join assignments n on n.assignment_id = p.assignment_id
where mp.billed <> 0 or mp.effective <> 0;

create table meter_rests as
select p.portion_id, mp.slice_id,
       cast(p.billed - coalesce(d.billed, 0) as {int}) as billed,
       cast(p.effective - coalesce(d.effective, 0) as {int}) as effective
from meter_portions mp
join portions p on p.portion_id = mp.portion_id
left join (
    select portion_id, sum(billed) as billed, sum(effective) as effective
    from meter_parts group by portion_id
) d on d.portion_id = p.portion_id;

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
