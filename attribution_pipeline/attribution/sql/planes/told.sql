-- Suspects under the key of their call.
-- in:  found_keys (n, operation_key, reason), suspects (grain: one span of a call)
-- out: calls, operation_key changed; told (n, reason): why, where it is not the span's own response id
update calls
set operation_key = f.operation_key
from found_keys f
where f.n = calls.n and f.operation_key <> calls.operation_key;

insert into told
select f.n, f.reason
from found_keys f
join suspects s on s.n = f.n
where not s.is_named;
