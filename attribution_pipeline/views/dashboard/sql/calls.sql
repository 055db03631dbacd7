-- Calls of one charge day inside a place, dearest first. A call that ran over midnight is among the
-- operations of the next day, by its key; `called_on` is that day, and null where it is not recorded.
-- in:  ledger, operation_costs of the day; operations of the day and the next
-- out: grain: operation
with inside as (
    select attribution_id, {metric} as cost_of_row, confidence, settlement, policy_version
    from ledger
    where basis = 'operations' and {where}
),
costs as (
    select c.operation_number as costs_number, c.operation_key as costs_key,
           c.billed_cost, c.effective_cost, i.confidence, i.settlement, i.policy_version
    from operation_costs c
    join inside i on i.attribution_id = c.attribution_id
),
spent as (
    select costs_number, costs_key,
           {tail}
    from costs
    group by costs_number, costs_key
),
named as (
    select s.costs_number, o.*
    from spent s
    join operations o on o.operation_number = s.costs_number
    where s.costs_key is null
    union all by name
    select s.costs_number, o.*
    from spent s
    join ({operations}) o on o.operation_key = s.costs_key
    where o.charge_date = date '{after}'
)
select coalesce(o.operation_number, s.costs_number) as operation_number, o.charge_date as called_on,
       o.started_at, o.ended_at, o.provider, o.model, o.operation_name, o.agent,
       o.attempt,
       coalesce(o.uncached_input, 0) + coalesce(o.cache_read, 0) + coalesce(o.cache_write_5m, 0)
           + coalesce(o.cache_write_1h, 0) + coalesce(o.cache_write_other, 0) as input_tokens,
       o.cache_read as cached_tokens,
       coalesce(o.visible_output, 0) + coalesce(o.reasoning, 0) as output_tokens,
       o.trace_id, o.span_id,
       s.billed_cost, s.effective_cost, s.metered, s.allocated, s.estimated, s.unallocated,
       s.provisional, s.restated, s.status, s.policy_versions
from spent s
left join named o on o.costs_number = s.costs_number
order by s.{metric} desc, s.costs_number
