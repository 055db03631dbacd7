-- OpenCost's rows of the day, from the newest snapshot of each cluster.
-- in:  landed_allocations, landed_assets (grain: one row of one snapshot)
--      standing_objects (table_name, source, object_id, ordinal): greater ordinal is newer
-- out: allocations, assets (same grain, one snapshot a source and day)
create table newest as
select o.table_name, o.source, max(o.ordinal) as ordinal
from standing_objects o
join (
    select 'opencost_allocations' as table_name, source, object_id from landed_allocations
    where epoch_us(window_start) = {day_us}
    union
    select 'opencost_assets', source, object_id from landed_assets
    where epoch_us(window_start) = {day_us}
) w on w.table_name = o.table_name and w.source = o.source and w.object_id = o.object_id
group by o.table_name, o.source;

create table allocations as
select a.*
from landed_allocations a
join standing_objects o on o.table_name = 'opencost_allocations'
    and o.source = a.source and o.object_id = a.object_id
join newest n on n.table_name = o.table_name and n.source = o.source and n.ordinal = o.ordinal
where epoch_us(a.window_start) = {day_us};

create table assets as
select a.*
from landed_assets a
join standing_objects o on o.table_name = 'opencost_assets'
    and o.source = a.source and o.object_id = a.object_id
join newest n on n.table_name = o.table_name and n.source = o.source and n.ordinal = o.ordinal
where epoch_us(a.window_start) = {day_us};
