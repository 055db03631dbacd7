-- This state's changes of rows, each with its cause.
-- in:  changes, revised_ledger (grain: attribution_id), regrouped (attribution_id): rows from or to
--      which requests went that are known to be somebody else's now
-- out: ledger_revisions (grain: one change of one row)
create table moved_charges as
select charge_id from changes
group by charge_id
having sum(new_billed_cost) <> sum(old_billed_cost)
    or sum(new_effective_cost) <> sum(old_effective_cost);

create table ledger_revisions as
select
    c.attribution_id, c.charge_id, l.tenant_id, l.component, l.leg, l.unallocated_reason,
    l.revision,
    cast(c.old_billed_cost as decimal(38, 12)) as old_billed_cost,
    cast(c.new_billed_cost as decimal(38, 12)) as new_billed_cost,
    cast(c.new_billed_cost - c.old_billed_cost as decimal(38, 12)) as delta_billed_cost,
    cast(c.old_effective_cost as decimal(38, 12)) as old_effective_cost,
    cast(c.new_effective_cost as decimal(38, 12)) as new_effective_cost,
    cast(c.new_effective_cost - c.old_effective_cost as decimal(38, 12)) as delta_effective_cost,
    l.billing_currency,
    case when {all_by} is not null then {all_by}
         when {billing_moved} and m.charge_id is not null
             then case when l.charge_class = 'Correction' then 'correction' else 'late_billing' end
         when r.attribution_id is not null then 'identity'
         else {else_by} end as cause,
    l.settlement, {policy_id} as policy_id, cast({policy_version} as integer) as policy_version,
    {policy_digest} as policy_digest, {kernel} as kernel, {forced} as forced, {run_id} as run_id,
    {recorded_at} as recorded_at
from changes c
join revised_ledger l on l.attribution_id = c.attribution_id
left join moved_charges m on m.charge_id = c.charge_id
left join regrouped r on r.attribution_id = c.attribution_id
where c.is_moved;
