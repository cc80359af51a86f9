/*
 * Label selectors on arbitrary text: what is accepted has a canonical text that says the same.
 */
#include "fuzz.h"

#include "base/must.h"
#include "cluster/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct label at[] = {{"a", "1"}, {"app", "web"}, {"b", ""}};
	static const struct labels labels = {at, 3};
	struct selector *s = selector_parse((struct str){(const char *)data, size}, NULL), *again;

	if (s == NULL)
		return 0;
	again = selector_parse(str_from(selector_text(s)), NULL);
	must(again != NULL && strcmp(selector_text(s), selector_text(again)) == 0);
	must(selector_matches(s, &labels) == selector_matches(again, &labels));
	selector_free(s);
	selector_free(again);
	return 0;
}
