-- Phase 2, clusters, first pass: a node's charge, already divided by kind, over pods.
-- in:  kind_amounts (portion, slice, kind, amounts, denominator), pod_weights (slice, kind, pod, weight),
--      volume_parts (portion, pod, amounts)
-- out: idle_amounts (grain: portion, slice, kind), pod_amounts (grain: portion, pod)
create or replace table pod_parts as
select k.portion_id, k.slice_id, k.kind, w.pod_id,
       cast({billed_part} as {int}) as billed,
       cast({effective_part} as {int}) as effective
from kind_amounts k
join pod_weights w on w.slice_id = k.slice_id and w.kind = k.kind
where k.denominator > 0;

create or replace table idle_amounts as
select k.portion_id, k.slice_id, k.kind,
       cast(k.billed - coalesce(d.billed, 0) as {int}) as billed,
       cast(k.effective - coalesce(d.effective, 0) as {int}) as effective
from kind_amounts k
left join (
    select portion_id, kind, sum(billed) as billed, sum(effective) as effective
    from pod_parts group by portion_id, kind
) d on d.portion_id = k.portion_id and d.kind = k.kind
where k.denominator > 0;

create or replace table pod_amounts as
select row_number() over (order by portion_id, pod_id) as amount_id, *
from (
    select portion_id, pod_id,
           cast(sum(billed) as {int}) as billed, cast(sum(effective) as {int}) as effective
    from (
        select portion_id, pod_id, billed, effective from pod_parts
        union all
        select portion_id, pod_id, billed, effective from volume_parts
    )
    group by portion_id, pod_id
)
where billed <> 0 or effective <> 0;
