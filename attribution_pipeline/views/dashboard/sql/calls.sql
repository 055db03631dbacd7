-- Calls of one charge day inside a place, dearest first, and how many there are.
-- in:  ledger, operation_costs, operations of the day
-- out: grain: operation
with inside as (
    select attribution_id, {metric} as cost_of_row, confidence, settlement, policy_version
    from ledger
    where basis = 'operations' and {where}
),
spent as (
    select c.operation_number,
           cast(sum(c.billed_cost) as decimal(38, 12)) as billed_cost,
           cast(sum(c.effective_cost) as decimal(38, 12)) as effective_cost,
           cast(coalesce(sum(case when i.confidence = 'metered' then c.{metric} end), 0) as decimal(38, 12)) as metered,
           cast(coalesce(sum(case when i.confidence = 'allocated' then c.{metric} end), 0) as decimal(38, 12)) as allocated,
           cast(coalesce(sum(case when i.confidence = 'estimated' then c.{metric} end), 0) as decimal(38, 12)) as estimated,
           cast(coalesce(sum(case when i.confidence = 'unallocated' then c.{metric} end), 0) as decimal(38, 12)) as unallocated,
           cast(coalesce(sum(case when i.settlement = 'provisional' then c.{metric} end), 0) as decimal(38, 12)) as provisional,
           cast(coalesce(sum(case when i.settlement = 'restated' then c.{metric} end), 0) as decimal(38, 12)) as restated,
           min(i.policy_version) as first_policy, max(i.policy_version) as last_policy
    from operation_costs c
    join inside i on i.attribution_id = c.attribution_id
    group by c.operation_number
)
select s.operation_number, o.started_at, o.ended_at, o.provider, o.model, o.operation_name, o.agent,
       o.attempt,
       coalesce(o.uncached_input, 0) + coalesce(o.cache_read, 0) + coalesce(o.cache_write_5m, 0)
           + coalesce(o.cache_write_1h, 0) + coalesce(o.cache_write_other, 0) as input_tokens,
       o.cache_read as cached_tokens,
       coalesce(o.visible_output, 0) + coalesce(o.reasoning, 0) as output_tokens,
       o.trace_id, o.span_id,
       s.billed_cost, s.effective_cost, s.metered, s.allocated, s.estimated, s.unallocated,
       s.provisional, s.restated,
       case when s.first_policy = s.last_policy then cast(s.first_policy as varchar)
            else concat(s.first_policy, ' to ', s.last_policy) end as policy_versions
from spent s
left join operations o on o.operation_number = s.operation_number
order by s.{metric} desc, s.operation_number
