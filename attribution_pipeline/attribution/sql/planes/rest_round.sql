-- One step: the smaller key of two that are tied.
-- in:  rest (n, operation_key), rest_ties (n, other)
-- out: rest, smaller (those that changed)
create or replace table smaller as
select r.n, m.operation_key
from rest r
join (
    select t.n, min(o.operation_key) as operation_key
    from rest_ties t
    join rest o on o.n = t.other
    group by t.n
) m on m.n = r.n
where m.operation_key < r.operation_key;

update rest set operation_key = s.operation_key from smaller s where s.n = rest.n;
