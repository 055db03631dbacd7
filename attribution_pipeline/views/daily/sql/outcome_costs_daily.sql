-- What the operations behind a day's outcomes cost, also where nothing useful came of it. An operation
-- is counted once a day and kind: where outcomes of one kind differ in whom they are of, it goes to a
-- useful one before another, then to who is known before who is not.
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
        select r.date as observed_on, {result_who}, r.useful, l.charge_date, l.operation_number,
               row_number() over (
                   partition by r.date, r.kind, l.charge_date, l.operation_number
                   order by case when r.useful then 0 else 1 end, {who_known_first},
                            r.outcome_number) as place
        from (select distinct date, outcome_number, useful, {who} from outcome_rows) r
        join links l on l.outcome_number = r.outcome_number
    ) o
    join costs c on c.charge_date = o.charge_date and c.operation_number = o.operation_number
    where o.place = 1
) p
group by p.charge_date, {placed_keys}
