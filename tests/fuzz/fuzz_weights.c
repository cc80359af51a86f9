/* Files of weights: any text is refused with its line, or each address weighs 1 to 255. */
#include "fuzz.h"

#include <string.h>

#include "base/must.h"
#include "loadbalance/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t name[] = "\1a\1b";
	static const uint8_t ip[16] = {192, 0, 2, 1};
	struct str text = {(const char *)data, size};
	struct err e;
	struct weights *w = weights_new(text, &e);

	if (w == NULL) {
		must(strncmp(e.text, "line ", 5) == 0);
		return 0;
	}
	for (size_t n = 4; n <= 16; n += 12) {
		unsigned weight = weights_of(w, name, ip, n);

		must(weight >= 1 && weight <= 255);
	}
	weights_free(w);
	return 0;
}
