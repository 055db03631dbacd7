-- What each span says of who caused it, by itself: by its envelope, by its attributes, or nothing.
-- in:  {spans} (grain: one span), tokens (grain: distinct envelope), disbelieved (issuance), signers
--      (service that must sign), allowed (service, key, tenant)
-- out: {says} (view, same grain). speaks: envelope, attributes, failed (it names somebody and is not
--      believed, or had to sign and did not); null where it says nothing. names: it names somebody
create view {says} as
select {carried}, key_id, service_name, signs, verdict, issuance_id, speaks, names, {told_who}
from (
    select *,
           envelope is not null or tenant_id is not null as names,
           case when verdict = 'verified' then 'envelope'
                when envelope is not null or signs then 'failed'
                when tenant_id is not null then 'attributes' end as speaks
    from (
        select s.*, t.key_id, t.issuance_id, {signed},
               k.service_name is not null as signs,
               case when s.envelope is null then 'unsigned'
                    when t.verdict <> 'verified' then t.verdict
                    when t.disbelief is not null then t.disbelief
                    when s.start_unix_nano > t.expires_unix_nano then 'expired'
                    -- this key, or this tenant, is not this service's to sign
                    when k.service_name is not null and w.service_name is null then 'unknown_key'
                    else 'verified' end as verdict
        from {spans} s
        left join (
            select k.*, x.verdict as disbelief
            from tokens k
            left join disbelieved x on x.issuance_id = k.issuance_id
        ) t on t.envelope = s.envelope
        left join signers k on k.service_name = s.service_name
        left join allowed w on w.service_name = s.service_name and w.key_id = t.key_id
            and w.tenant_id = t.tenant_id
    )
);
