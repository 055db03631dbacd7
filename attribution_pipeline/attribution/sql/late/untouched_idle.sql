-- Idle of charges on whose nodes no late operation works: its rows are carried.
-- in:  idle_todo (pool, portion, slice, kind), portions, touched_charges (charge), recorded
-- out: idle_todo of touched charges and other pools; rows of carried
insert into carried
select r.row_no, u.portion_id, {batch}
from recorded r
join (
    select p.charge_id, min(p.portion_id) as portion_id
    from idle_todo i
    join portions p on p.portion_id = i.portion_id
    where i.pool in ({pools}) and p.charge_id not in (select charge_id from touched_charges)
    group by p.charge_id
) u on u.charge_id = r.charge_id
where r.component = 'idle'
    and (r.basis = 'driver' or r.unallocated_reason = 'no_operation_evidence')
    and (r.billed_cost <> 0 or r.effective_cost <> 0);

delete from idle_todo
where pool in ({pools}) and portion_id not in (
    select portion_id from portions where charge_id in (select charge_id from touched_charges));
