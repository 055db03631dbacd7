-- Spend of each day by how sure it is.
-- in:  spend
-- out: grain: day
select day,
    {tail},
    cast(coalesce(sum(case when settlement = 'restated' then {metric} end), 0) as decimal(38, 12))
        as restated
from spend
where {where}
group by day
order by day
