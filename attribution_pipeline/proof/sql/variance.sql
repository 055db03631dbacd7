-- The ledger's variance: what recorded and replayed rows differ by, per method and kernel.
-- in:  recorded_ledger (grain: attribution_id), differing_ledger (grain: attribution_id of either)
-- out: one row per method, kernel and currency; billed_cost and effective_cost are sums of
--      |recorded - replayed|
select coalesce(n.method, d.method) as method, coalesce(n.kernel, d.kernel) as kernel,
       coalesce(n.billing_currency, d.billing_currency) as billing_currency,
       coalesce(n.recorded_rows, 0) as recorded_rows, coalesce(d.differing_rows, 0) as differing_rows,
       cast(coalesce(d.billed_cost, 0) as decimal(38, 12)) as billed_cost,
       cast(coalesce(d.effective_cost, 0) as decimal(38, 12)) as effective_cost
from (
    select method, kernel, billing_currency, count(*) as recorded_rows
    from recorded_ledger group by method, kernel, billing_currency
) n
full join (
    select coalesce(r_method, p_method) as method, coalesce(r_kernel, p_kernel) as kernel,
           coalesce(r_billing_currency, p_billing_currency) as billing_currency,
           count(*) as differing_rows,
           sum(abs(coalesce(r_billed_cost, 0) - coalesce(p_billed_cost, 0))) as billed_cost,
           sum(abs(coalesce(r_effective_cost, 0) - coalesce(p_effective_cost, 0))) as effective_cost
    from differing_ledger
    group by coalesce(r_method, p_method), coalesce(r_kernel, p_kernel),
             coalesce(r_billing_currency, p_billing_currency)
) d on d.method is not distinct from n.method and d.kernel is not distinct from n.kernel
    and d.billing_currency is not distinct from n.billing_currency
order by method nulls last, kernel, billing_currency
