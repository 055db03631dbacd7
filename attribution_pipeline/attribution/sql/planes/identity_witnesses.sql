-- What linked spans say: each itself, else its nearest ancestor that says something.
-- in:  linked_path (grain: origin, linked span, span reached), linked_kin (grain: one span)
-- out: witnesses (grain: origin, linked span that leads to somebody)
create table witnesses as
select origin, speaks, verdict, {told}, issuance_id
from (
    select p.origin, k.*,
           row_number() over (
               partition by p.origin, p.place order by p.level, k.trace_id, k.span_id) as nearest
    from linked_path p
    join linked_kin k on k.trace_id = p.trace_id and k.span_id = p.span_id
    where k.speaks is not null
)
where nearest = 1;
