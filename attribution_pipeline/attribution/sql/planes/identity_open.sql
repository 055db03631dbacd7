-- Calls that say nothing of who caused them, and what else was recorded of their traces.
-- in:  calls (grain: one span of a billable call), ranked, picks, own (grain: call of several spans),
--      around (grain: one span)
-- out: nameless (grain: such a call; origin: its best span), openings (grain: span of a nameless call),
--      near (grain: one span of their traces)
create table nameless as
select s.n as origin
from calls s
where not ({speaks}) and s.n not in (select n from ranked)
union all
select best from picks where call_no not in (select call_no from own);

create table openings as
select m.origin, coalesce(r.place, 1) as place, c.trace_id, c.span_id
from nameless m
left join picks p on p.best = m.origin
left join ranked r on r.call_no = p.call_no
join calls c on c.n = coalesce(r.n, m.origin);

create table near as
select * from around
where {climbs} and trace_id in (select trace_id from openings);
