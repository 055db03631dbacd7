-- Spend by some columns, dearest first.
-- in:  spend
-- out: grain: the columns; `restated` beside the common tail
select {columns},
    {tail},
    cast(coalesce(sum(case when settlement = 'restated' then {metric} end), 0) as decimal(38, 12))
        as restated
from spend
where {where}
group by {columns}
having count(*) > 0
order by {order}
