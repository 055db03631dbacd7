-- One step: suspects without a key take the one of the call that they are tied to most surely.
-- in:  ties (grain: suspect and another one), suspects (grain: one span of a call)
-- out: found_keys (grain: suspect that has its key), more of them
insert into found_keys
select n, operation_key, reason
from (
    select t.n, f.operation_key, t.reason,
           row_number() over (
               partition by t.n
               order by t.doubt, t.toward, o.end_unix_nano desc, f.operation_key, o.span_id
           ) as place
    from ties t
    join found_keys f on f.n = t.other
    join suspects o on o.n = t.other
    where t.n not in (select n from found_keys)
)
where place = 1;
