-- The day's charges: lines, or their slices of the day, with the identity of the charge they add up to.
-- in:  slices (grain: one line, or its slice of one day; line_ordinal, charge_day, amounts, quantities)
--      day_lines_numbered (grain: one FOCUS row)
-- out: charges (same grain as slices)
create table charges as
select
    substr(sha256(concat_ws(chr(31),
        coalesce(l.InvoiceIssuerName, {null}),
        coalesce(l.BillingAccountId, {null}),
        coalesce(l.SubAccountId, {null}),
        cast(epoch_us(l.BillingPeriodStart) as varchar),
        cast(s.charge_day as varchar),
        coalesce(l.ChargeCategory, {null}),
        coalesce(l.ChargeClass, {null}),
        coalesce(l.BillingCurrency, {null}),
        coalesce(l.ServiceName, {null}),
        coalesce(l.SkuId, {null}),
        coalesce(l.SkuPriceId, {null}),
        coalesce(l.ResourceId, {null}),
        coalesce(l.RegionId, {null}),
        coalesce(l.AvailabilityZone, {null}),
        coalesce(l.PricingCategory, {null}),
        coalesce(l.CommitmentDiscountId, {null}),
        coalesce(l.CommitmentDiscountStatus, {null}),
        coalesce(l.native_id, {null}),
        -- a text may be reworded while its month is open; it names a charge only where nothing else does
        case when l.SkuId is null and l.SkuPriceId is null and l.ResourceId is null
             then coalesce(l.ChargeDescription, {null}) else {null} end
    )), 1, 32) as charge_id,
    s.charge_day,
    s.charge_day < date '{day}' as outside_range,
    cast(make_date(cast(epoch_us(l.BillingPeriodStart) // {day_us} as integer)) as date) as billing_period,
    s.billed_cost,
    s.effective_cost,
    s.list_cost,
    s.consumed_quantity,
    s.pricing_quantity,
    l.* exclude (line_ordinal, BilledCost, EffectiveCost, ListCost, ConsumedQuantity, PricingQuantity,
                 start_us, end_us, is_cut, delivery_order)
from slices s
join day_lines_numbered l on l.line_ordinal = s.line_ordinal;
