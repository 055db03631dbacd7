-- Pods whose operations must be known one by one: they share a charge with a touched pod.
-- in:  touched_pods (pod), pod_weights (slice, kind, pod), volumes, pods_named (grain: pod)
-- out: needed_pods (grain: pod)
create table needed_pods as
select pod_id from touched_pods
union
select w.pod_id
from pod_weights w
join pod_weights t on t.slice_id = w.slice_id
join touched_pods p on p.pod_id = t.pod_id
union
select n.pod_id
from volumes v
join volumes t on lower(t.provider_id) = lower(v.provider_id) or lower(t.name) = lower(v.name)
join pods_named tn on tn.cluster = t.cluster and tn.namespace = t.namespace and tn.pod = t.pod
join touched_pods p on p.pod_id = tn.pod_id
join pods_named n on n.cluster = v.cluster and n.namespace = v.namespace and n.pod = v.pod;
