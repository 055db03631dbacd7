-- Every attempt of the chains that were chosen.
-- in:  attempts (grain: operation), roots (grain: part), chosen (grain: chain)
-- out: looked_at (grain: operation)
create table looked_at as
select coalesce(r.chain, a.part) as chain, a.*
from attempts a
left join roots r on r.part = a.part
join chosen c on c.chain = coalesce(r.chain, a.part)
