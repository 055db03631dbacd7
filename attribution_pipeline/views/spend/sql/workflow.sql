-- Tasks and agents: what they cost, how often they tried again, how deep their chains are. A trace is
-- looked at day by day: one that runs over midnight is one on each day.
-- in:  spend_daily, calls_daily
-- out: grain: workflow, task, agent, currency; calls are of all currencies
with called as (
    select workflow_id, task, agent,
           cast(sum(calls) as bigint) as calls, cast(sum(retries) as bigint) as retries,
           cast(sum(traces) as bigint) as traces, max(longest_chain) as longest_chain
    from calls_daily
    group by workflow_id, task, agent
),
spent as (
    select workflow_id, task, agent, billing_currency,
           cast(sum(retry_{metric}) as decimal(38, 12)) as retry_cost,
           {tail}
    from spend_daily
    group by workflow_id, task, agent, billing_currency
)
select
    s.workflow_id, s.task, s.agent,
    coalesce(c.calls, 0) as calls, coalesce(c.retries, 0) as retries, s.retry_cost,
    coalesce(c.traces, 0) as traces, coalesce(c.longest_chain, 0) as longest_chain,
    s.billing_currency, s.billed_cost, s.effective_cost, s.metered, s.allocated, s.estimated,
    s.unallocated, s.provisional, s.restated, s.status, s.policy_versions
from spent s
left join called c on c.workflow_id is not distinct from s.workflow_id
    and c.task is not distinct from s.task and c.agent is not distinct from s.agent
order by {order}, s.workflow_id nulls last, s.task nulls last, s.agent nulls last, s.billing_currency
