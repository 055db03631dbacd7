-- Spans around the day, each (trace, span) once.
-- in:  landed_spans (grain: one span as delivered)
-- out: repeated (grain: span that came more than once), once ({once}, grain: one span, every column),
--      around (view, same grain, what identity needs of it), carriers (grain: span with an envelope)
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

-- what the policy does not name decides nothing, and of two that say the same otherwise the one that
-- says more of what it names stands: the other one was read for less
insert into winners
select * exclude (content, told, named, place)
from (
    select *, row_number() over (
        partition by trace_id, span_id
        order by end_unix_nano desc, content desc, told desc, named desc, coalesce(attributes, '') desc
    ) as place
    from (
        select t.*, sha256(concat_ws(chr(31), {content})) as content,
               {told} as told, concat_ws(chr(31), {named}) as named
        from tellings t
        join contested c on c.trace_id = t.trace_id and c.span_id = t.span_id
    )
)
where place = 1;

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
