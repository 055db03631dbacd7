-- Calls of several spans that speak for themselves: the best-ranked span that says who.
-- in:  ranked (grain: one span of a call of several; place 1 is the best), calls (grain: one span)
-- out: own (grain: call; n: the span; is_denied: another span of the call had to sign, and this
--      envelope is not one that its service may carry)
create table own as
select r.call_no, arg_min(r.n, {rank}) as n, false as is_denied
from ranked r
join calls s on s.n = r.n
where {speaks}
group by r.call_no;

create table denied as
select distinct o.call_no
from own o
join calls s on s.n = o.n
join ranked r on r.call_no = o.call_no
join calls g on g.n = r.n
left join allowed w on w.service_name = g.service_name and w.key_id = s.key_id
    and w.tenant_id = s.signed_tenant_id
where s.speaks = 'envelope' and g.signs and w.service_name is null;

update own set is_denied = true where call_no in (select call_no from denied);

drop table denied;
