-- Which meters a route slice is divided by: the model and token kind of its rows, and the provider
-- that its calls name, null where no call was seen.
-- in:  ledger, operation_costs, operations
-- out: grain: currency, provider, model, surface, token_kind, call_provider
select distinct l.billing_currency, l.provider, l.model, l.surface, l.token_kind,
       o.provider as call_provider
from ledger l
left join operation_costs c on c.charge_date = l.charge_date and c.attribution_id = l.attribution_id
left join operations o on o.charge_date = c.charge_date and o.operation_key = c.operation_key
where l.method = 'meter' and (l.billed_cost <> 0 or l.effective_cost <> 0)
order by l.billing_currency, l.provider, l.surface, l.model, l.token_kind, call_provider
