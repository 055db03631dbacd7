-- Staged rows added up to ledger rows, each with its identity.
-- in:  staged, portions, actors, assignments, rule_names (assignment_id, pool), owned (tenant_id, workflow_id, team, cost_center)
-- out: ledger_rows (grain: attribution_id), amounts in quanta
create table ledger_rows as
select {attribution_id} as attribution_id, *
from (
    select
        p.charge_id, s.component, s.leg, s.who_id, a.who_key,
        s.operation_name, s.model, s.token_kind, s.identity_reason,
        min(p.billing_period) as billing_period, min(p.provider) as provider,
        min(p.service) as service, min(p.billing_account_id) as billing_account_id,
        min(p.sub_account_id) as sub_account_id, min(p.resource_id) as resource_id,
        min(p.region) as region, min(p.charge_category) as charge_category,
        min(p.charge_class) as charge_class, min(p.billing_currency) as billing_currency,
        min(n.surface) as surface, min(s.basis) as basis, min(r.pool) as pool,
        min(s.method) as method, min(s.driver) as driver,
        max(s.driver_quantity) as driver_quantity, max(s.driver_total) as driver_total,
        min(s.driver_unit) as driver_unit,
        -- the worst of what was added up: unallocated > metered > estimated > allocated as text,
        -- and a row of one identity never mixes unallocated with the others
        case when bool_or(s.confidence = 'unallocated') then 'unallocated'
             when bool_or(s.confidence = 'estimated') then 'estimated'
             when bool_or(s.confidence = 'allocated') then 'allocated'
             else 'metered' end as confidence,
        min(s.reason) as unallocated_reason,
        cast(sum(s.billed) as {int}) as billed, cast(sum(s.effective) as {int}) as effective
    from staged s
    join portions p on p.portion_id = s.portion_id
    join assignments n on n.assignment_id = p.assignment_id
    join rule_names r on r.assignment_id = p.assignment_id
    join actors a on a.who_id = s.who_id
    group by p.charge_id, s.component, s.leg, s.who_id, a.who_key, s.operation_name, s.model,
             s.token_kind, s.identity_reason
    -- a sum of zero keeps its row only where requests took part in it
    having sum(s.billed) <> 0 or sum(s.effective) <> 0
        or bool_or(s.basis = 'operations' and (s.billed <> 0 or s.effective <> 0))
);

create table ledger as
select
    l.attribution_id, l.charge_id, l.billing_period, l.provider, l.service, l.billing_account_id,
    l.sub_account_id, l.resource_id, l.region, l.charge_category, l.charge_class, l.surface,
    l.component, l.leg, l.basis, {who}, o.team, o.cost_center, l.operation_name, l.model,
    l.token_kind,
    {billed} as billed_cost,
    {effective} as effective_cost,
    l.billing_currency, l.pool, l.method, l.driver,
    cast(l.driver_quantity as decimal(38, 0)) as driver_quantity,
    cast(l.driver_total as decimal(38, 0)) as driver_total,
    l.driver_unit, l.confidence, l.unallocated_reason,
    'provisional' as settlement,
    {policy_id} as policy_id, cast({policy_version} as integer) as policy_version,
    {policy_digest} as policy_digest, {kernel} as kernel,
    cast(1 as integer) as revision,
    {recorded_at} as first_recorded_at,
    {recorded_at} as recorded_at
from ledger_rows l
join actors a on a.who_id = l.who_id
left join owned o on o.who_id = l.who_id;
