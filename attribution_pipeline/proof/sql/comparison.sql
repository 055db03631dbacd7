-- One day's ledger as recorded and as another computation gives it, row beside row.
-- in:  recorded_ledger, replayed_ledger (grain: attribution_id)
-- out: grain: attribution_id of either; a side without the row stands at zero. delta = replayed -
--      recorded
select
    cast('{day}' as date) as charge_date,
    coalesce(r.attribution_id, p.attribution_id) as attribution_id,
    coalesce(r.charge_id, p.charge_id) as charge_id,
    coalesce(r.service, p.service) as service,
    coalesce(r.tenant_id, p.tenant_id) as tenant_id,
    coalesce(r.workflow_id, p.workflow_id) as workflow_id,
    coalesce(r.component, p.component) as component,
    coalesce(r.leg, p.leg) as leg,
    coalesce(r.unallocated_reason, p.unallocated_reason) as unallocated_reason,
    r.pool as recorded_pool, p.pool as replayed_pool,
    r.method as recorded_method, p.method as replayed_method,
    coalesce(r.policy_version, {recorded_version}) as recorded_policy_version,
    cast({replayed_version} as integer) as replayed_policy_version,
    coalesce(r.billing_currency, p.billing_currency) as billing_currency,
    cast(coalesce(r.billed_cost, 0) as decimal(38, 12)) as recorded_billed_cost,
    cast(coalesce(p.billed_cost, 0) as decimal(38, 12)) as replayed_billed_cost,
    cast(coalesce(p.billed_cost, 0) - coalesce(r.billed_cost, 0) as decimal(38, 12)) as delta_billed_cost,
    cast(coalesce(r.effective_cost, 0) as decimal(38, 12)) as recorded_effective_cost,
    cast(coalesce(p.effective_cost, 0) as decimal(38, 12)) as replayed_effective_cost,
    cast(coalesce(p.effective_cost, 0) - coalesce(r.effective_cost, 0) as decimal(38, 12)) as delta_effective_cost
from recorded_ledger r
full join replayed_ledger p on p.attribution_id = r.attribution_id
order by coalesce(r.attribution_id, p.attribution_id)
