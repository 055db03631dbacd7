-- This period's calls, those first whose cost is farthest from what a call of their workflow used to cost.
-- in:  calls, told, request_costs, usual (tenant_id, workflow_id, billing_currency, usual_cost)
-- out: one row per call and currency
select q.*, cast(q.cost - q.usual_cost as decimal(38, 12)) as moved
from (
    select c.ended_at, c.tenant_id, c.workflow_id, c.provider, c.model, c.operation_key,
           c.trace_id, c.attempt, cast(c.stands_for as bigint) as stands_for,
           cast({input} as bigint) as input_tokens, cast(c.cache_read as bigint) as cached_tokens,
           cast({output} as bigint) as output_tokens, s.billing_currency,
           cast(s.cost as decimal(38, 12)) as cost,
           cast(coalesce(u.usual_cost, 0) * c.stands_for as decimal(38, 12)) as usual_cost
    from (
        select r.operation_key, t.billing_currency, sum(r.cost) as cost
        from told t
        join request_costs r on r.period = t.period and r.attribution_id = t.attribution_id
        where t.period = 1 and t.part in ('metered', 'machines')
        group by r.operation_key, t.billing_currency
    ) s
    join calls c on c.period = 1 and c.operation_key = s.operation_key
    left join usual u on coalesce(u.tenant_id, chr(30)) = coalesce(c.tenant_id, chr(30))
        and coalesce(u.workflow_id, chr(30)) = coalesce(c.workflow_id, chr(30))
        and coalesce(u.billing_currency, chr(30)) = coalesce(s.billing_currency, chr(30))
) q
order by abs(q.cost - q.usual_cost) desc, q.operation_key, q.billing_currency
limit {top}
