-- Calls that say nothing of who caused them, where something else of their traces may.
-- in:  ranked (grain: one span of a call), calls (same grain), own (grain: operation_key),
--      span_says (grain: one span around the day)
-- out: nameless (grain: operation_key, by a small number), kin (grain: one span of their traces that
--      may lead to somebody), starts (grain: span of a nameless call in such a trace)
create table nameless as
select row_number() over (order by operation_key) as origin, operation_key
from (
    select distinct operation_key from ranked
    where operation_key not in (select operation_key from own)
);

create table kin as
select * from span_says
where {has_nameless} and trace_id in (
    select c.trace_id from ranked r join calls c on c.n = r.n
    where r.operation_key in (select operation_key from nameless));

delete from kin where trace_id not in (
    select trace_id from kin
    where speaks is not null or links is not null or run_id is not null
        or parent_issuance_id is not null);

create table starts as
select m.origin, r.place, c.trace_id, c.span_id
from nameless m
join ranked r on r.operation_key = m.operation_key
join calls c on c.n = r.n
where c.trace_id in (select trace_id from kin);
