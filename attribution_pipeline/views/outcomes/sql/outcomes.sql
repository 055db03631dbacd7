-- Outcomes as reported, each once: what is delivered twice, under two paths, is one.
-- in:  landed_outcomes (grain: one landed record), standing (grain: object that stands)
-- out: outcomes (grain: one outcome; outcome_number from 1 in order of time)
create table outcomes as
select row_number() over (
           order by observed_at, kind, trace_id nulls first, operation_id nulls first,
                    value nulls first) as outcome_number,
       date, observed_at, kind, operation_id, trace_id, value, records,
       coalesce(value > 0, true) as useful
from (
    select l.date, l.observed_at, l.kind, l.operation_id, l.trace_id, l.value, count(*) as records
    from landed_outcomes l
    join standing s on s.source = l.source and s.object_id = l.object_id
    where l.date between date '{first}' and date '{last}'
    group by l.date, l.observed_at, l.kind, l.operation_id, l.trace_id, l.value
)
