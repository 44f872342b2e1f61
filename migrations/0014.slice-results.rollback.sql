alter table pay.pay_calculations add constraint pay_calculations_enterprise_id_fkey foreign key (enterprise_id) references platform.enterprises (id);
drop table pay.slice_results;
