-- Phase 1, third pass. The same by request.
-- in:  {parts} (grain: portion, operation), portions, assignments
-- out: rows of staged_operations
insert into staged_operations
select mp.portion_id, mp.op_id, 'direct', n.token_kind, mp.weight, mp.billed, mp.effective
from {parts} mp
join portions p on p.portion_id = mp.portion_id
join assignments n on n.assignment_id = p.assignment_id
where mp.billed <> 0 or mp.effective <> 0;
