-- One kind of OpenCost's rows of the day, from the newest snapshot of each cluster.
-- in:  landed_{kind} (grain: one row of one snapshot)
--      standing_objects (table_name, source, object_id, ordinal): greater ordinal is newer
-- out: {kind} (same grain, one snapshot a source, cluster and day)
--      rejected_{kind} (same): rows of these snapshots that can't be used, by name and reason
create table newest_{kind} as
select a.* exclude (ordinal, newest)
from (
    select l.*, o.ordinal,
           max(o.ordinal) over (partition by l.source, coalesce(l.cluster, '')) as newest
    from landed_{kind} l
    join standing_objects o on o.table_name = 'opencost_{kind}'
        and o.source = l.source and o.object_id = l.object_id
    where epoch_us(l.window_start) = {day_us}
) a
where a.ordinal = a.newest;

create view {kind} as select * from newest_{kind} where rejected is null;

create view rejected_{kind} as select * from newest_{kind} where rejected is not null;
