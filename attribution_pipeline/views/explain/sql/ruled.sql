-- What the rule itself moved: days as they are recorded, less the same days under the other version.
-- in:  recorded_ledger, ruled_ledger (grain: period, attribution_id), of days that were computed anew
-- out: one row per period, tenant, workflow, model and currency that it moved
select period, tenant_id, workflow_id, model, billing_currency, '{cause}' as cause, sum(cost) as cost
from (
    select period, tenant_id, workflow_id, model, billing_currency, {metric} as cost
    from recorded_ledger where {tenant}
    union all
    select period, tenant_id, workflow_id, model, billing_currency, -{metric} as cost
    from ruled_ledger where {tenant}
) moved
group by period, tenant_id, workflow_id, model, billing_currency
having sum(cost) <> 0
