-- Which landed lines stand: their object was not replaced, their delivery is the newest of its period.
-- in:  landed_lines (grain: one FOCUS row of one delivered object)
--      standing_objects (source, object_id): objects that no newer content of their path replaced
--      replacing_sources (source): sources whose newest delivery supersedes the older
-- out: standing_deliveries (grain: source, account, billing period)
--      standing_lines (grain: one FOCUS row), with its time in microseconds
create table standing_deliveries as
select l.source, l.BillingAccountId, l.BillingPeriodStart, max(l.delivery_order) as delivery_order
from landed_lines l
join standing_objects o on o.source = l.source and o.object_id = l.object_id
join replacing_sources r on r.source = l.source
group by l.source, l.BillingAccountId, l.BillingPeriodStart;

create view standing_lines as
select
    l.*,
    -- one-time charges and purchases stand whole on the first day of their period
    l.end_us - l.start_us > {day_us}
        and coalesce(lower(l.ChargeFrequency), '') <> 'one-time'
        and l.ChargeCategory <> 'Purchase' as is_cut
from (
    select
        l.*,
        epoch_us(l.ChargePeriodStart) as start_us,
        epoch_us(l.ChargePeriodEnd) as end_us
    from landed_lines l
    join standing_objects o on o.source = l.source and o.object_id = l.object_id
    left join standing_deliveries d
        on d.source = l.source
        and d.BillingAccountId = l.BillingAccountId
        and d.BillingPeriodStart = l.BillingPeriodStart
    where d.source is null or d.delivery_order = l.delivery_order
) l;
