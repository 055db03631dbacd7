-- Outcomes with what they came from and what that cost.
-- in:  outcomes, links, published, costs
-- out: grain: outcome, currency; without a cost one row, whose currency is null
with about as (
    select l.outcome_number, count(*) as operations, max(p.span_key) as operation,
           {one_tenant_id} as tenant_id, {one_feature} as feature, {one_workflow_id} as workflow_id,
           {one_agent} as agent, {one_model} as model
    from links l
    join published p
      on p.charge_date = l.charge_date and p.operation_number = l.operation_number
    group by l.outcome_number
),
spent as (
    select l.outcome_number, c.billing_currency,
           cast(sum(c.billed_cost) as decimal(38, 12)) as billed_cost,
           cast(sum(c.effective_cost) as decimal(38, 12)) as effective_cost
    from links l
    join costs c on c.charge_date = l.charge_date and c.operation_number = l.operation_number
    group by l.outcome_number, c.billing_currency
)
select o.outcome_number, o.date, o.observed_at, o.kind, o.value, o.useful,
       a.outcome_number is not null as matched, o.operation_id, o.trace_id, a.operation,
       coalesce(a.operations, 0) as operations, a.tenant_id, a.feature, a.workflow_id, a.agent,
       a.model, s.billing_currency, s.billed_cost, s.effective_cost
from outcomes o
left join about a on a.outcome_number = o.outcome_number
left join spent s on s.outcome_number = o.outcome_number
order by o.outcome_number, s.billing_currency
