-- Billed calls with what each said of itself, and a first guess at the chain that it belongs to: its
-- issuance, else the siblings among which one says that it is a retry, else itself.
-- in:  operations (grain: operation, day), spans (grain: span as delivered)
-- out: attempts (grain: operation)
create table said_by as
select * exclude (place)
from (
    select trace_id, span_id, parent_span_id, links, service_name, start_unix_nano,
           tenant_id, originator_id, workflow_id, operation_id, issuance_id, parent_issuance_id,
           row_number() over (
               partition by trace_id, span_id
               order by end_unix_nano desc, tenant_id, originator_id, workflow_id, operation_id,
                        issuance_id) as place
    from spans
    where is_call
)
where place = 1;

create table calls as
select * exclude (place)
from (
    select *, row_number() over (partition by operation_key order by charge_date) as place
    from operations
)
where place = 1;

create table said as
select c.operation_key, c.trace_id, c.span_id, s.parent_span_id, s.links, s.service_name,
       s.start_unix_nano, c.verdict, c.identity_source, cast(c.unverified as boolean) as unverified,
       cast(c.attempt as bigint) as attempt,
       coalesce(c.issuance_id, s.issuance_id) as issuance_id,
       coalesce(c.parent_issuance_id, s.parent_issuance_id) as parent_issuance_id,
       s.tenant_id, s.originator_id, s.workflow_id, s.operation_id,
       c.tenant_id as resolved_tenant_id, c.originator_id as resolved_originator_id,
       c.workflow_id as resolved_workflow_id
from calls c
left join said_by s on s.trace_id = c.trace_id and s.span_id = c.span_id;

create table retried as
select distinct trace_id, coalesce(parent_span_id, '') as parent_span_id
from said where attempt >= 2;

create table attempts as
select a.*,
       case when a.issuance_id is not null then 'issuance ' || a.issuance_id
            when r.trace_id is not null then 'siblings ' || r.trace_id || ':' || r.parent_span_id
            else 'call ' || a.operation_key end as part
from said a
left join retried r on r.trace_id = a.trace_id
    and r.parent_span_id = coalesce(a.parent_span_id, '')
