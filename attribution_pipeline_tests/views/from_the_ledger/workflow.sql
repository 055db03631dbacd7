-- Tasks and agents: what they cost, how often they tried again, how deep their chains are.
-- in:  ledger, operations, operation_costs
-- out: grain: workflow, task, agent, currency; calls are of all currencies
with called as (
    select workflow_id, task, agent,
           cast(sum(calls) as bigint) as calls, cast(sum(retries) as bigint) as retries,
           count(*) as traces, max(calls) as longest_chain
    from (
        select workflow_id, task, agent, trace_id, count(*) as calls,
               sum(case when attempt > 1 then 1 else 0 end) as retries
        from operations
        group by workflow_id, task, agent, trace_id
    )
    group by workflow_id, task, agent
),
tried_again as (
    select o.workflow_id, o.task, o.agent, l.billing_currency,
           cast(sum(c.{metric}) as decimal(38, 12)) as retry_cost
    from operations o
    join operation_costs c on c.operation_key = o.operation_key
    join ledger l on l.attribution_id = c.attribution_id and l.charge_date = c.charge_date
    where o.attempt > 1
    group by o.workflow_id, o.task, o.agent, l.billing_currency
),
spent as (
    select workflow_id, task, agent, billing_currency,
           {tail}
    from ledger
    group by workflow_id, task, agent, billing_currency
)
select
    s.workflow_id, s.task, s.agent,
    coalesce(c.calls, 0) as calls, coalesce(c.retries, 0) as retries,
    coalesce(t.retry_cost, cast(0 as decimal(38, 12))) as retry_cost,
    coalesce(c.traces, 0) as traces, coalesce(c.longest_chain, 0) as longest_chain,
    s.billing_currency, s.billed_cost, s.effective_cost, s.metered, s.allocated, s.estimated,
    s.unallocated, s.provisional, s.restated, s.status,
    s.policy_versions
from spent s
left join called c on c.workflow_id is not distinct from s.workflow_id
    and c.task is not distinct from s.task and c.agent is not distinct from s.agent
left join tried_again t on t.workflow_id is not distinct from s.workflow_id
    and t.task is not distinct from s.task and t.agent is not distinct from s.agent
    and t.billing_currency = s.billing_currency
order by {order}, s.workflow_id nulls last, s.task nulls last, s.agent nulls last, s.billing_currency
