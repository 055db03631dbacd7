-- Calls that speak for themselves: the best-ranked of their spans that says who.
-- in:  ranked (grain: one span of a call; place 1 is the best), call_says (same grain)
-- out: own (grain: operation_key; n: the span; is_denied: another span of the call had to sign, and
--      this envelope is not one that its service may carry)
create table own as
select r.operation_key, arg_min(r.n, {rank}) as n, false as is_denied
from ranked r
join call_says s on s.n = r.n
where s.speaks is not null and (s.speaks <> 'attributes' or {attributes_answer})
group by r.operation_key;

create table denied as
select distinct o.operation_key
from own o
join call_says s on s.n = o.n
join ranked r on r.operation_key = o.operation_key
join call_says g on g.n = r.n
left join allowed w on w.service_name = g.service_name and w.key_id = s.key_id
    and w.tenant_id = s.signed_tenant_id
where s.speaks = 'envelope' and g.signs and w.service_name is null;

update own set is_denied = true where operation_key in (select operation_key from denied);

drop table denied;
