-- Dedicated pods by the names that spans use: with their cluster, and without where no other has one.
-- in:  dedicated (grain: pod), pods_named (grain: cluster, namespace, pod)
-- out: labelled (grain: cluster or null, namespace, pod)
create table labelled as
select n.cluster, n.namespace, n.pod, d.tenant_id
from dedicated d
join pods_named n on n.pod_id = d.pod_id
where n.cluster is not null
union all
select null, n.namespace, n.pod, min(d.tenant_id)
from pods_named n
left join dedicated d on d.pod_id = n.pod_id
group by n.namespace, n.pod
having count(distinct coalesce(n.cluster, chr(30))) = 1 and min(d.tenant_id) is not null;
