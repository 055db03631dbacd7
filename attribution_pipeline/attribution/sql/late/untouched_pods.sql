-- Charges of pods on which no late operation works: their rows are carried, not divided again.
-- in:  kind_amounts (portion, slice, kind), pod_weights (slice, kind, pod), pod_amounts (grain:
--      portion, pod), portions, touched_pods (pod), recorded (grain: attribution_id)
-- out: touched_charges (grain: charge); pod_amounts of these alone; rows of carried
insert into touched_charges
select distinct p.charge_id
from portions p
where p.portion_id in (
    select portion_id from pod_amounts where pod_id in (select pod_id from touched_pods)
    union all
    -- idle of a kind weighs pods that have no amount, too
    select portion_id from kind_amounts where slice_id in (
        select slice_id from pod_weights where pod_id in (select pod_id from touched_pods))
);

insert into carried
select r.row_no, u.portion_id, {batch}
from recorded r
join (
    select p.charge_id, min(p.portion_id) as portion_id
    from pod_amounts a
    join portions p on p.portion_id = a.portion_id
    where p.charge_id not in (select charge_id from touched_charges)
    group by p.charge_id
) u on u.charge_id = r.charge_id
where r.component = 'workload'
    -- these are whole amounts of portions, and staged anew with them
    and coalesce(r.unallocated_reason, '') not in ('no_driver', 'quarantined')
    and (r.billed_cost <> 0 or r.effective_cost <> 0 or r.driver_quantity > 0);

delete from pod_amounts
where portion_id not in (
    select portion_id from portions where charge_id in (select charge_id from touched_charges));
