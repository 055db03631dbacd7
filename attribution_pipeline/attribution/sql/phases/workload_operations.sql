-- Phase 2, clusters, second pass: pods over the operations that they worked for.
-- in:  pod_amounts (grain: portion, pod), weighed_pod_operations (pod, operation, weight)
-- out: shared_amounts and members for the kernel, pod_totals (grain: pod)
create or replace table pod_totals as
select pod_id, cast(sum(weight) as bigint) as total, max(weight) as largest
from weighed_pod_operations
group by pod_id;

create or replace table shared_amounts as
select a.amount_id, a.billed, a.effective, t.total, a.pod_id
from pod_amounts a
join pod_totals t on t.pod_id = a.pod_id
where t.total > 0;

create or replace table members as
select a.amount_id, w.op_id as member, w.weight, w.op_id as tie
from shared_amounts a
join weighed_pod_operations w on w.pod_id = a.pod_id
where w.weight > 0;
