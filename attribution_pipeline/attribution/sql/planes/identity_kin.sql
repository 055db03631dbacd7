-- Of the traces of nameless calls those in which something may lead to somebody.
-- in:  near_says (grain: one span of these traces), openings (grain: span of a nameless call)
-- out: kin (grain: one span), starts (grain: span of a nameless call)
create table kin as select * from near_says;

delete from kin where trace_id not in (
    select trace_id from kin
    where speaks is not null or links is not null or run_id is not null
        or parent_issuance_id is not null);

create table starts as
select * from openings where trace_id in (select trace_id from kin);

drop view near_says;

drop table near;

drop table openings;
