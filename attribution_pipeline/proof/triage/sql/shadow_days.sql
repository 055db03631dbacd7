-- UTC days on which shadow mode logged a hit.
-- in:  controls (grain: record)
-- out: grain: day
select date, count(*) as hits, count(*) filter (where would_block) as would_block,
       count(distinct rule) as rules
from (
    select distinct date, observed_at, rule, would_block
    from controls where kind = 'shadow_hit' and date > date '{since}'
)
group by date
order by date desc
