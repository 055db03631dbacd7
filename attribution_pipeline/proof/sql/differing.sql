-- Rows that a recorded table and its replay do not say alike, to the last quantum.
-- in:  recorded_{table}, replayed_{table} (grain: {key})
-- out: differing_{table} (grain: {key} of either side; each side's columns under r_ and p_).
--      is_over: the row stands on one side only, or differs by more than the tolerance
create table differing_{table} as
select {sides},
       r.{first} is null or p.{first} is null or {over} as is_over
from recorded_{table} r
full join replayed_{table} p on {join}
where {scope} and (r.{first} is null or p.{first} is null or {unlike});
