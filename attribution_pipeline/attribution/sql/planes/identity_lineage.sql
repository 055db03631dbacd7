-- Which attempt a call was, and of which issuance: the best-ranked of its spans that says so.
-- in:  ranked (grain: one span of a call), calls (same grain)
-- out: lineage (grain: operation_key, of calls that say something)
create table lineage as
select r.operation_key,
       arg_min(c.attempt, case when c.attempt is not null then r.place end) as attempt,
       arg_min(c.parent_issuance_id,
               case when c.parent_issuance_id is not null then r.place end) as parent_issuance_id
from ranked r
join calls c on c.n = r.n
where c.attempt is not null or c.parent_issuance_id is not null
group by r.operation_key;
