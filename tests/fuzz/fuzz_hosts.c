/* Hosts files: any text makes a table in which every name is found again. */
#include "fuzz.h"

#include "base/must.h"
#include "hosts/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t name[] = "\1a\1b\1c";
	struct zone_list all = {0};
	struct hosts_rules rules = {&all, 60, false};
	struct str text = {(const char *)data, size};
	struct hosts_table *t;
	struct hosts_odd odd;

	vec_push(&all.zones, (struct name){.len = 1});
	t = hosts_table_new(&rules, text, text, &odd);
	must(hosts_table_match(t, name) == NULL || hosts_table_records(t) > 0);
	hosts_table_free(t);
	zone_list_free(&all);
	return 0;
}
