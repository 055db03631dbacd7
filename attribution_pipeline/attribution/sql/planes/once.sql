-- Spans around the day, each (trace, span) once, whatever was delivered.
-- in:  delivered, repeated, winners, tellings, contested
-- out: once ({once}, grain: one span, every column), around (view, same grain, what identity needs of
--      it), carriers (grain: span with an envelope)
drop table tellings;

drop table contested;

create {once} once as
select d.* from delivered d
where not exists (
    select 1 from repeated r where r.trace_id = d.trace_id and r.span_id = d.span_id)
union all
select * from winners;

create view around as
select trace_id, span_id, parent_span_id, links, service_name, kind, is_call,
       start_unix_nano, end_unix_nano, {who}, originator_id, envelope, {run}, attempt,
       parent_issuance_id, attributes
from once;

create table carriers as
select trace_id, envelope, attempt
from once
where envelope is not null;
