-- The rows behind it, dearest first.
-- in:  ledger (grain: attribution_id, of the month to date)
-- out: grain: attribution_id; at most {most} a slice, all_rows counts them all
select * exclude (place)
from (
    select billing_currency, provider, model, surface, charge_date, attribution_id, leg, tenant_id,
           workflow_id, token_kind, unallocated_reason, {metric} as cost, driver_quantity as tokens,
           row_number() over (
               partition by billing_currency, provider, model, surface
               order by abs({metric}) desc, charge_date, attribution_id) as place,
           count(*) over (partition by billing_currency, provider, model, surface) as all_rows
    from ledger
    where (leg = 'spread' or (method = 'meter' and (tenant_id is null or workflow_id is null)))
      and (billed_cost <> 0 or effective_cost <> 0)
)
where place <= {most}
order by billing_currency, provider, surface, model, place
