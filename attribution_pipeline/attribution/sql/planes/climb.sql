-- One step up from every call that has not met the call around it.
-- in:  climbing (n, trace_id, at), suspects (grain: one span of a call), steps (grain: one other span)
-- out: nested (outer_n, inner_n), climbing
insert into nested
select s.n, c.n
from climbing c
join suspects s on s.trace_id = c.trace_id and s.span_id = c.at
where s.n <> c.n;

create or replace table climbing as
select c.n, c.trace_id, t.parent_span_id as at
from climbing c
join steps t on t.trace_id = c.trace_id and t.span_id = c.at;
