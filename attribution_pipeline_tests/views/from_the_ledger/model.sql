-- Routes and token kinds. Charges of one slice are divided by the same tokens, so the tokens of a
-- slice are those of its widest charge: a correction beside its usage does not count them again.
-- Charges of one slice have their denominator in common.
-- in:  ledger
-- out: grain: provider, model, surface, token kind, currency
with told as (
    select provider, model, surface, token_kind, billing_currency,
           cast(sum(tokens) as decimal(38, 0)) as tokens
    from (
        select provider, model, surface, token_kind, billing_currency, max(tokens) as tokens
        from (
            select provider, model, surface, token_kind, billing_currency, charge_date, charge_id,
                   driver_total, sum(driver_quantity) as tokens
            from ledger
            where method = 'meter' and leg in ('own', 'open')
            group by provider, model, surface, token_kind, billing_currency, charge_date, charge_id,
                     driver_total
        )
        group by provider, model, surface, token_kind, billing_currency, charge_date,
                 driver_total
    )
    group by provider, model, surface, token_kind, billing_currency
),
spent as (
    select provider, model, surface, token_kind, billing_currency,
           {tail}
    from ledger
    where surface in ('model_inference', 'embeddings', 'evaluation') or model is not null
    group by provider, model, surface, token_kind, billing_currency
)
select
    s.provider, s.model, s.surface, s.token_kind, t.tokens,
    s.billing_currency, s.billed_cost, s.effective_cost, s.metered, s.allocated, s.estimated,
    s.unallocated, s.provisional, s.restated, s.status,
    s.policy_versions
from spent s
left join told t on t.provider is not distinct from s.provider
    and t.model is not distinct from s.model and t.surface is not distinct from s.surface
    and t.token_kind is not distinct from s.token_kind and t.billing_currency = s.billing_currency
order by {order}, s.provider nulls last, s.model nulls last, s.surface, s.token_kind nulls last,
         s.billing_currency
