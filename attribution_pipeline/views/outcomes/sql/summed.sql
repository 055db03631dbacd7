-- Outcomes summed: how many, how many useful, and what the operations behind them cost, each once.
-- in:  outcome_rows (grain: outcome, currency), links, costs
-- out: grain: {by}, currency; the counts are the group's, whatever the currency
with counted as (
    select {by}, count(*) as outcomes, count(*) filter (where useful) as useful,
           count(*) filter (where not matched) as unmatched,
           cast(sum(value) as decimal(38, 12)) as value
    from (select distinct {by}, outcome_number, useful, matched, value from outcome_rows)
    group by {by}
),
spent as (
    select {by}, c.billing_currency,
           cast(sum(c.billed_cost) as decimal(38, 12)) as billed_cost,
           cast(sum(c.effective_cost) as decimal(38, 12)) as effective_cost
    from (
        select distinct {of_rows}, l.charge_date, l.operation_number
        from outcome_rows r
        join links l on l.outcome_number = r.outcome_number
    )
    join costs c using (charge_date, operation_number)
    group by {by}, c.billing_currency
)
select {of_counted}, n.outcomes, n.useful, n.unmatched, n.value, s.billing_currency,
       s.billed_cost, s.effective_cost
from counted n
left join spent s on {same}
order by {of_counted_last}, s.billing_currency nulls last
