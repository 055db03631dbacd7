-- What replayed rows differ by from recorded ones, by slice.
-- in:  ledger, replayed (grain: attribution_id; one day)
-- out: grain: currency, provider, model, surface; costs are sums of |recorded - replayed|
select billing_currency, provider, model, surface,
       count(*) as row_count,
       count(*) filter (where apart_billed <> 0 or apart_effective <> 0 or recorded is null
                        or replayed is null) as differing,
       max(greatest(apart_billed, apart_effective)) as largest,
       sum(apart_billed) as billed_cost, sum(apart_effective) as effective_cost,
       string_agg(distinct method, ', ' order by method) as methods,
       string_agg(distinct kernel, ', ' order by kernel) as kernels
from (
    select coalesce(l.billing_currency, r.billing_currency) as billing_currency,
           coalesce(l.provider, r.provider) as provider,
           coalesce(l.model, r.model) as model,
           coalesce(l.surface, r.surface) as surface,
           coalesce(l.method, r.method) as method,
           coalesce(l.kernel, r.kernel) as kernel,
           l.attribution_id as recorded, r.attribution_id as replayed,
           abs(coalesce(l.billed_cost, 0) - coalesce(r.billed_cost, 0)) as apart_billed,
           abs(coalesce(l.effective_cost, 0) - coalesce(r.effective_cost, 0)) as apart_effective
    from ledger l
    full join replayed r on r.attribution_id = l.attribution_id
)
group by billing_currency, provider, model, surface
order by billing_currency, provider, surface, model
