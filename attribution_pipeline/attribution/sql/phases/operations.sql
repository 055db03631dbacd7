-- The day's operations with small integer names for themselves and for who caused them.
-- in:  operations (grain: operation_key), usage (grain: report row), extra_tenants (tenant_id),
--      billed_principals (tenant_id, principal_id): whom charges name themselves
-- out: named (grain: set of who-columns seen), ops (grain: operation)
--      actors (grain: one distinct set of who-columns; who_id 1 is nobody, 2 is whoever was named and
--      is not believed; reason: why no tenant pays)
create table named as
select distinct {who} from operations
union
select distinct {who} from usage;

create table actors as
select row_number() over (order by tenant_id is not null, who_key, unverified) as who_id, *,
       case when tenant_id is not null then null
            when unverified then 'identity_unverified'
            else 'identity_missing' end as reason
from (
    select distinct {who_key} as who_key, {actor_key} as actor_key, {who}, unverified
    from (
        select {who}, false as unverified from named
        union all select tenant_id, {no_who}, false from named
        union all select tenant_id, {no_who}, false from extra_tenants
        union all select {billed_who}, false from billed_principals
        union all select null, {no_who}, false
        union all select null, {no_who}, true
    )
);

-- keys alone are sorted, not all that an operation says
create table numbered as
select row_number() over (order by o.operation_key) as op_id, a.who_id, o.operation_key
from (select operation_key, {actor_key} as actor_key from operations) o
join actors a on a.actor_key = o.actor_key;

create table ops as
select n.op_id, n.who_id, o.*
from operations o
join numbered n on n.operation_key = o.operation_key;
