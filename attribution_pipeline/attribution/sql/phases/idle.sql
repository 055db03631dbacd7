-- Phase 4. Idle of a kind over the distinct operations on the scope's pods with cost of that kind.
-- in:  idle_todo, the scope's pods (slice, kind, pod), pod_operations, worked, actors, portions
-- out: idle_weights (grain: slice, kind, who), shared_amounts and members for the kernel;
--      rows of staged where no operation answers
create or replace table idle_weights as
select slice_id, kind, who_id, cast(sum(weight) as bigint) as weight
from (
    select distinct k.slice_id, k.kind, o.op_id, o.who_id, cast({weight} as bigint) as weight
    from {scope} k
    join pod_operations m on m.pod_id = k.pod_id
    join worked o on o.op_id = m.op_id
)
where weight > 0
group by slice_id, kind, who_id;

create or replace table shared_amounts as
select row_number() over (order by i.portion_id, i.kind) as amount_id,
       i.portion_id, i.slice_id, i.kind, i.billed, i.effective, t.total
from idle_todo i
left join (
    select slice_id, kind, cast(sum(weight) as bigint) as total
    from idle_weights group by slice_id, kind
) t on t.slice_id = i.slice_id and t.kind = i.kind
where i.pool = {pool};

insert into staged
select portion_id, 'idle', 'idle', 'none', 1, null, null, null,
       'no_operation_evidence', 'no_operation_evidence', 'node', null, null, null, null,
       'unallocated', cast(sum(billed) as {int}), cast(sum(effective) as {int})
from shared_amounts
where total is null
group by portion_id;

delete from shared_amounts where total is null;

create or replace table members as
select s.amount_id, w.who_id as member, w.weight, {tie} as tie
from shared_amounts s
join portions p on p.portion_id = s.portion_id
join idle_weights w on w.slice_id = s.slice_id and w.kind = s.kind
join actors a on a.who_id = w.who_id;
