-- What is known of a day, by route slice: how many records, how much cost and how many tokens carry
-- each field. Sums, so that days add up.
-- in:  records (grain: attribution_id, operation)
-- out: grain: charge_date, currency, provider, model, surface
select charge_date, billing_currency, provider, model, surface,
       count(*) as records, sum(cost) as cost, sum(tokens) as tokens,
       {sums}
from records
group by charge_date, billing_currency, provider, model, surface
order by billing_currency, provider, surface, model, charge_date
