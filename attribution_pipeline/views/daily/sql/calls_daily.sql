-- Operations of days. A trace is counted once in its workflow, task and agent, in the row of its first
-- call, so that counts add up over everything; its length is said in every row that it touches.
-- in:  operations
-- out: grain: day, {keys}
with chained as (
    select *,
           count(*) over (
               partition by charge_date, workflow_id, task, agent, trace_id) as chain,
           row_number() over (
               partition by charge_date, workflow_id, task, agent, trace_id
               order by operation_number) as place
    from operations
)
select
    {placed_keys},
    count(*) as calls,
    cast(sum(case when p.attempt > 1 then 1 else 0 end) as bigint) as retries,
    cast(sum(case when p.metered then 0 else 1 end) as bigint) as unmetered,
    cast(sum(case when p.estimated then 1 else 0 end) as bigint) as estimated,
    cast(sum(case when p.verdict <> 'verified' and p.verdict <> 'unsigned' then 1 else 0 end)
         as bigint) as unverified,
    {buckets},
    cast(sum(p.active_ms) as bigint) as active_ms,
    cast(sum(case when p.place = 1 then 1 else 0 end) as bigint) as traces,
    max(p.chain) as longest_chain
from chained p
group by p.charge_date, {placed_keys}
