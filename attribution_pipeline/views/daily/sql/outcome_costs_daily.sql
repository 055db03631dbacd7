-- What the operations behind a day's outcomes cost, each once in its kind and who of that day, also
-- where nothing useful came of it.
-- in:  outcome_rows (grain: outcome, currency), links (grain: outcome, operation), costs (grain:
--      operation and how sure its cost is)
-- out: grain: day, {keys}
select
    {placed_keys},
    count(*) as operations,
    cast(sum(p.billed_cost) as decimal(38, 12)) as billed_cost,
    cast(sum(p.effective_cost) as decimal(38, 12)) as effective_cost
from (
    select o.observed_on as charge_date, {outcome_who}, o.useful, c.confidence, c.settlement,
           c.policy_version, c.billing_currency, c.billed_cost, c.effective_cost
    from (
        select r.date as observed_on, {result_who}, l.charge_date, l.operation_number,
               max(case when r.useful then 1 else 0 end) = 1 as useful
        from (select distinct date, outcome_number, useful, {who} from outcome_rows) r
        join links l on l.outcome_number = r.outcome_number
        group by r.date, {result_who}, l.charge_date, l.operation_number
    ) o
    join costs c on c.charge_date = o.charge_date and c.operation_number = o.operation_number
) p
group by p.charge_date, {placed_keys}
