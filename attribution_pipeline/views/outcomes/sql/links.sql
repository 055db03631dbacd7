-- Which operations an outcome is of. Its operation id is finer than its trace, and goes first.
-- in:  outcomes, published (grain: published operation of a looked-at trace, key or response id), said
-- out: links (grain: outcome, operation)
create table links as
with by_id as (
    -- the ids that a provider gave, or the call's own span
    select o.outcome_number, p.charge_date, p.operation_number
    from outcomes o
    join published p on p.response_id = o.operation_id or p.span_key = o.operation_id
    where o.operation_id is not null
    union
    -- the logical operation that the call's span says, or the only one that its trace says
    select o.outcome_number, p.charge_date, p.operation_number
    from outcomes o
    join said a on a.operation_id = o.operation_id
    join published p on p.trace_id = a.trace_id
    left join (
        select trace_id from said group by trace_id having count(distinct operation_id) = 1
    ) alone on alone.trace_id = a.trace_id
    where (p.span_id = a.span_id or alone.trace_id is not null)
      -- an envelope that does not hold names nobody's operation
      and (not a.signed or p.verdict = 'verified')
)
select outcome_number, charge_date, operation_number from by_id
union
select o.outcome_number, p.charge_date, p.operation_number
from outcomes o
join published p on p.trace_id = o.trace_id
where o.outcome_number not in (select outcome_number from by_id)
