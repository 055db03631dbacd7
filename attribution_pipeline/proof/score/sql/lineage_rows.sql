-- How many rows there are to reach from.
-- in:  ledger (grain: attribution_id)
-- out: grain: currency, provider, model, surface
select billing_currency, provider, model, surface, count(*) as row_count
from ledger
group by billing_currency, provider, model, surface
order by billing_currency, provider, surface, model
