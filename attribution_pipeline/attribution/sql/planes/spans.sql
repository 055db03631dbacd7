-- Spans around the day, each (trace, span) once.
-- in:  landed_spans (grain: one span as delivered)
-- out: repeated (grain: span that came more than once), contested (grain: span of which deliveries differ),
--      tellings (grain: what deliveries of a repeated span say), winners (grain: repeated span, but for
--      contested ones)
create view delivered as
select * exclude (source, object_id, position)
from landed_spans
where end_unix_nano >= {from_ns} and start_unix_nano < {to_ns};

-- delivery is at least once: most spans come once, so only the repeated ones are looked at
create table repeated as
select trace_id, span_id, count(*) as deliveries
from delivered
group by trace_id, span_id
having count(*) > 1;

-- and most of these say the same each time
create table tellings as
select distinct d.*
from delivered d
join repeated r on r.trace_id = d.trace_id and r.span_id = d.span_id;

create table contested as
select trace_id, span_id
from tellings
group by trace_id, span_id
having count(*) > 1;

create table winners as
select t.*
from tellings t
where not exists (
    select 1 from contested c where c.trace_id = t.trace_id and c.span_id = t.span_id);
