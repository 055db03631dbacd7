-- The hard-block list in force: entries of the newest policy snapshot where entries name one, else
-- all that stand.
-- in:  controls (grain: record)
-- out: grain: entry, reversible ones first
select distinct rule, operation, reversible, mode, policy_digest
from controls
where kind = 'hard_block'
  and (policy_digest is null or policy_digest = (
      select max(policy_digest) from controls
      where kind = 'policy_snapshot' and observed_at = (
          select max(observed_at) from controls where kind = 'policy_snapshot'))
      or not exists (select 1 from controls where kind = 'policy_snapshot'))
order by reversible desc, rule, operation, mode, policy_digest
