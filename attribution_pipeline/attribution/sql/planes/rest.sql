-- Suspects that hang together and have no response id among them, each under its own key.
-- in:  ties (grain: suspect and another one), suspects (grain: one span of a call), found_keys
-- out: rest (grain: suspect; n, operation_key), rest_ties (n, other)
create or replace table rest as
select s.n, s.operation_key
from suspects s
where s.n in (select n from ties) and s.n not in (select n from found_keys);

create or replace table rest_ties as
select t.n, t.other
from ties t
join rest a on a.n = t.n
join rest b on b.n = t.other;
