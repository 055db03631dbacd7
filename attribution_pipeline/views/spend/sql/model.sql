-- Routes and token kinds.
-- in:  spend_daily
-- out: grain: provider, model, surface, token kind, currency
select
    provider, model, surface, token_kind,
    cast(sum(tokens) as decimal(38, 0)) as tokens,
    billing_currency,
    {tail}
from spend_daily
where surface in ('model_inference', 'embeddings', 'evaluation') or model is not null
group by provider, model, surface, token_kind, billing_currency
order by {order}, provider nulls last, model nulls last, surface, token_kind nulls last,
         billing_currency
