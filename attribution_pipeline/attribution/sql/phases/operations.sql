-- The day's operations with small integer names for themselves and for who caused them.
-- in:  operations (grain: operation_key), usage (grain: report row), extra_tenants (tenant_id)
-- out: named (grain: set of who-columns seen), actors (grain: one distinct set of who-columns; who_id 1 is nobody), ops (grain: operation)
create table named as
select distinct {who} from operations
union
select distinct {who} from usage;

create table actors as
select row_number() over (order by tenant_id is not null, who_key) as who_id, *
from (
    select distinct {who_key} as who_key, {who}
    from (
        select {who} from named
        union all select tenant_id, {no_who} from named
        union all select tenant_id, {no_who} from extra_tenants
        union all select null, {no_who}
    )
);

create table ops as
select row_number() over (order by o.operation_key) as op_id, a.who_id, o.*
from (select *, {who_key} as who_key from operations) o
join actors a on a.who_key = o.who_key;
