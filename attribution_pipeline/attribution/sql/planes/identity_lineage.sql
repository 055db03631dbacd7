-- Which attempt a call of several spans was, and of which issuance: the best-ranked that says so.
-- in:  ranked (grain: one span of a call of several), calls (grain: one span)
-- out: lineage (grain: call, of those that say something)
create table lineage as
select r.call_no,
       arg_min(c.attempt, case when c.attempt is not null then r.place end) as attempt,
       arg_min(c.parent_issuance_id,
               case when c.parent_issuance_id is not null then r.place end) as parent_issuance_id
from ranked r
join calls c on c.n = r.n
where c.attempt is not null or c.parent_issuance_id is not null
group by r.call_no;
