-- Spend by some columns, dearest first.
-- in:  spend
-- out: grain: the columns; the common tail
select {columns},
    {tail}
from spend
where {where}
group by {columns}
having count(*) > 0
order by {order}
