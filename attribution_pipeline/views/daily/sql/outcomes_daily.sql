-- Outcomes of days, by what they are and whom their operations are of.
-- in:  outcome_rows (grain: outcome, currency)
-- out: grain: day, {keys}
select
    {placed_keys},
    count(*) as outcomes,
    cast(sum(p.value) as decimal(38, 12)) as value
from (
    select distinct date as charge_date, outcome_number, value, {keys}
    from outcome_rows
) p
group by p.charge_date, {placed_keys}
