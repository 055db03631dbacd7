-- Billed calls of both periods that say what they used, each with how many it stands for.
-- in:  operations (grain: period, operation_key), request_costs (period, attribution_id,
--      operation_key, weight, cost), told (period, attribution_id)
-- out: calls (grain: period, operation_key); tokens of all the calls that a sampled one stands for
create table sampled as
select period, operation_key,
       -- a meter's weight is tokens times the adjusted count; rounded half up, never under one
       greatest((2 * sum(weight) + sum(tokens)) // (2 * sum(tokens)), 1) as stands_for
from (
    select o.period, o.operation_key, t.token_kind,
           max(cast(c.weight as hugeint)) as weight, max({tokens_of_kind}) as tokens
    from told t
    join request_costs c on c.period = t.period and c.attribution_id = t.attribution_id
    join operations o on o.period = c.period and o.operation_key = c.operation_key
    where t.part = 'metered' and o.estimated
    group by o.period, o.operation_key, t.token_kind
)
group by period, operation_key
having sum(tokens) > 0;

create table calls as
select o.period, o.operation_key, o.tenant_id, o.workflow_id, o.provider, o.model,
       o.trace_id, o.ended_at, coalesce(o.attempt, 1) as attempt,
       cast(coalesce(s.stands_for, 1) as hugeint) as stands_for, {buckets}
from operations o
left join sampled s on s.period = o.period and s.operation_key = o.operation_key
where o.metered and o.provider is not null and o.model is not null and {tenant};
