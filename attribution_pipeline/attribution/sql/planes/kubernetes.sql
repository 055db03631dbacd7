-- Kubernetes objects of the day that can answer for a tenant, as the newest snapshot has them.
-- in:  landed (grain: one object of one snapshot), standing_objects (object_id, ordinal)
-- out: kubernetes (grain: cluster, namespace, kind, name); labels and annotations hold the policy's
--      tenant label alone, so that a snapshot with other news is no news
create table kubernetes as
select source, cast(null as varchar) as object_id, cast(null as bigint) as position,
       date, cluster, namespace, kind, name,
       case when label is null then '{{}}' else cast(json_object('{key}', label) as varchar) end as labels,
       case when annotation is null then '{{}}'
            else cast(json_object('{key}', annotation) as varchar) end as annotations,
       cast(null as varchar) as x_columns
from (
    select l.source, l.date, l.cluster, l.namespace, l.kind, l.name,
           coalesce(json_extract_string(l.labels, '{path}'), json_extract_string(l.labels, '{sanitised}')) as label,
           coalesce(json_extract_string(l.annotations, '{path}'), json_extract_string(l.annotations, '{sanitised}')) as annotation,
           row_number() over (
               partition by coalesce(l.cluster, ''), coalesce(l.namespace, ''), lower(coalesce(l.kind, '')), l.name
               order by o.ordinal desc, l.source desc, l.position desc
           ) as place
    from landed l
    join standing_objects o on o.source = l.source and o.object_id = l.object_id
    where l.date = date '{day}'
)
-- a namespace without the label says that it has none
where place = 1 and (label is not null or annotation is not null or lower(kind) = 'namespace');
