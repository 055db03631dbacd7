-- Where every phase puts its rows, and what request level the ledger keeps.
-- out: staged (grain: portion, component, leg, who, what, reason; several phases may add to one row)
--      staged_operations (grain: portion, operation, component)
create table staged (
    portion_id bigint, component varchar, leg varchar, basis varchar, who_id bigint,
    operation_name varchar, model varchar, token_kind varchar,
    reason varchar, identity_reason varchar,
    method varchar, driver varchar, driver_quantity hugeint, driver_total hugeint,
    driver_unit varchar, confidence varchar, billed {int}, effective {int}
);

create table staged_operations (
    portion_id bigint, op_id bigint, component varchar, token_kind varchar, weight bigint,
    billed {int}, effective {int}
);
