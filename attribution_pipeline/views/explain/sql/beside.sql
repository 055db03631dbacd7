-- What no call meters, by part.
-- in:  told (grain: period, attribution_id)
-- out: one row per period, tenant, workflow, model, currency and part
select period, tenant_id, workflow_id, model, billing_currency, part, sum(cost) as cost
from told
where part not in ('metered', 'machines')
group by period, tenant_id, workflow_id, model, billing_currency, part
