-- Rung: the nearest ancestor that says who; where it failed, nobody further up answers.
-- in:  path (grain: origin, place, span reached), kin (grain: one span), answers (origin)
-- out: rows of answers
insert into answers
select origin, 'ancestor', speaks, verdict, {who}, originator_id, issuance_id
from (
    select p.origin, k.*,
           row_number() over (
               partition by p.origin order by p.level, {rank}, k.trace_id, k.span_id) as nearest
    from path p
    join kin k on k.trace_id = p.trace_id and k.span_id = p.span_id
    where p.level > 0 and k.speaks is not null
        and p.origin not in (select origin from answers)
)
where nearest = 1;
