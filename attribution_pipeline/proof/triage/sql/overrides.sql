-- Overrides and how long each took; one that was not granted has no end. A record that was delivered
-- twice counts once.
-- in:  controls (grain: record)
-- out: grain: override, slowest first; took_us in microseconds, null where not granted
select rule, requested_at, granted_at, granted_by,
       epoch_us(granted_at) - epoch_us(requested_at) as took_us
from (
    select distinct rule, requested_at, granted_at, granted_by
    from controls where kind = 'override' and date > date '{since}'
)
order by took_us desc nulls first, requested_at, rule, granted_by
