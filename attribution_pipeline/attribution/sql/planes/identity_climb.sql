-- One step up the traces: from each span that was reached last to its parent, never in a circle.
-- in:  {path} (grain: origin, place, span reached; level: how far up), {kin} (grain: one span)
-- out: rows of {path} at level {level}
insert into {path}
select p.origin, p.place, {level}, k.trace_id, k.span_id
from {path} p
join {kin} c on c.trace_id = p.trace_id and c.span_id = p.span_id
join {kin} k on k.trace_id = c.trace_id and k.span_id = c.parent_span_id
where p.level = {level} - 1 and not exists (
    select 1 from {path} q
    where q.origin = p.origin and q.place = p.place and q.trace_id = k.trace_id
        and q.span_id = k.span_id);
