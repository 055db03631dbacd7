-- Phase 1, second pass. What operations have of metered charges, by who and what.
-- in:  meter_parts (grain: portion, operation), meter_slices, ops, actors, portions, assignments
-- out: rows of staged
insert into staged
select mp.portion_id, 'direct', 'own', 'operations', o.who_id,
       o.operation_name, n.model, n.token_kind,
       a.reason, a.reason,
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
group by mp.portion_id, o.who_id, a.tenant_id, a.reason, o.operation_name, n.model, n.token_kind,
         s.denominator, s.within_tolerance;
