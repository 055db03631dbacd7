-- Spend of each day by how sure it is.
-- in:  spend
-- out: grain: day
select day,
    {tail}
from spend
where {where}
group by day
order by day
