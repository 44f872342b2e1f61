alter table graph.outbox
  add constraint outbox_enterprise_id_fkey foreign key (enterprise_id) references graph.links (enterprise_id);
