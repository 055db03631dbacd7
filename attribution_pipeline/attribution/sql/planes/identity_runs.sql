-- Rung: the run that a call belongs to, and everybody whom spans of that run name.
-- in:  path (grain: origin, place, span reached), kin (grain: one span), span_says (same grain),
--      answers (origin)
-- out: asked (grain: origin; run: its number), witnesses (grain: run, span that names somebody)
create table asked as
select origin, run_id, dense_rank() over (order by run_id) as run
from (
    select p.origin, k.run_id,
           row_number() over (
               partition by p.origin order by p.level, p.place, k.trace_id, k.span_id) as nearest
    from path p
    join kin k on k.trace_id = p.trace_id and k.span_id = p.span_id
    where k.run_id is not null and p.origin not in (select origin from answers)
)
where nearest = 1;

create table witnesses as
select r.run as origin, s.speaks, s.verdict, {told}, s.issuance_id
from (select distinct run, run_id from asked) r
join span_says s on s.run_id = r.run_id
where s.speaks is not null and s.names;
