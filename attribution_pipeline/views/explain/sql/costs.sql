-- Cost of calls by cell and token kind; without a kind that of machines. A row's provider is that of its requests: the bill spells its own.
-- in:  told (grain: period, attribution_id), request_costs, operations
-- out: one row per period, tenant, workflow, provider, model, currency and token kind
select t.period, t.tenant_id, t.workflow_id, p.provider, t.model, t.billing_currency,
       t.token_kind, sum(t.cost) as cost
from told t
left join (
    select c.period, c.attribution_id, min(o.provider) as provider
    from request_costs c
    join operations o on o.period = c.period and o.operation_key = c.operation_key
    group by c.period, c.attribution_id
) p on p.period = t.period and p.attribution_id = t.attribution_id
where t.part in ('metered', 'machines')
group by t.period, t.tenant_id, t.workflow_id, p.provider, t.model, t.billing_currency,
         t.token_kind
