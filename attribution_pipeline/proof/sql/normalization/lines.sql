-- Every roll-up and every named line, added up.
-- in:  sums (grain: pair, side, line, tenant, service, currency)
-- out: grain: pair, currency, side, line
select pair, billing_currency, side, line,
       cast(sum(billed_cost) as decimal(38, 12)) as billed_cost,
       cast(sum(effective_cost) as decimal(38, 12)) as effective_cost
from sums
group by pair, billing_currency, side, line
order by pair, billing_currency, side, line
