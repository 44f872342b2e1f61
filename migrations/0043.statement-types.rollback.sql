drop type pay.statement_item;
drop type pay.placed_node;
