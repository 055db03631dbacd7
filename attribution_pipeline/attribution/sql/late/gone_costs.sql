-- Request rows that changed or vanished operations had of metered charges.
-- in:  gone_parts (grain: portion, operation), gone_ops, numbers_named (operation_key, its number),
--      portions, meter_changes (grain: attribution_id)
-- out: gone_costs (grain: attribution_id, operation), in the shape of operation_costs
create table gone_costs as
select attribution_id, charge_id, operation_number, cast(null as varchar) as operation_key, weight,
       {billed} as billed_cost,
       {effective} as effective_cost
from (
    select c.attribution_id, c.charge_id, b.operation_number,
           cast(max(g.weight) as bigint) as weight,
           cast(sum(g.billed) as {int}) as billed, cast(sum(g.effective) as {int}) as effective
    from gone_parts g
    join gone_ops o on o.op_id = g.op_id
    join numbers_named b on b.operation_key = o.operation_key
    join portions p on p.portion_id = g.portion_id
    join meter_changes c on c.charge_id = p.charge_id and c.slice_id = g.slice_id
        and c.actor_key = o.actor_key
        and coalesce(c.operation_name, chr(30)) = coalesce(o.operation_name, chr(30))
    where g.billed <> 0 or g.effective <> 0
    group by c.attribution_id, c.charge_id, b.operation_number
);
