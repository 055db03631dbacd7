-- Of what meters divide: cost in rows without tenant or workflow, by slice, open rows included. A gap
-- that a policy spreads over those who were seen is still a gap; it has no tokens of its own.
-- in:  ledger (grain: attribution_id, of the month to date)
-- out: grain: currency, provider, model, surface
select billing_currency, provider, model, surface,
       sum(case when tenant_id is null or workflow_id is null or leg = 'spread'
                then {metric} else 0 end) as without,
       sum({metric}) as cost,
       sum(case when charge_class is null and leg <> 'spread'
                     and (tenant_id is null or workflow_id is null)
                then coalesce(driver_quantity, 0) else 0 end) as tokens_without,
       sum(case when charge_class is null and leg <> 'spread'
                then coalesce(driver_quantity, 0) else 0 end) as tokens,
       count(*) as row_count
from ledger
where (method = 'meter' or leg = 'spread') and (billed_cost <> 0 or effective_cost <> 0)
group by billing_currency, provider, model, surface
order by billing_currency, provider, surface, model
