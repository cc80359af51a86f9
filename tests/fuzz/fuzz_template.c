/* Texts of templates from anybody: compiled, filled, and read as a record. */
#include "fuzz.h"

#include "base/arena.h"
#include "names/zonefile_rr.h"
#include "template/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pattern_match m = {.n = 1, .at = {STR("a.example.")}};
	struct filling f = {.name = STR("a.example."), .zone = STR("example."), .match = &m};
	struct program p = {{NULL, 0, 0}};
	struct text_rr rr;
	struct arena a;
	char out[4096];
	int n;

	arena_init(&a);
	if (program_init(&p, &a, arena_dup(&a, data, size), NULL) == 0) {
		n = program_expand(&p, &f, out, sizeof(out));
		if (n >= 0)
			zonefile_rr((struct str){out, (size_t)n}, &a, &rr, NULL);
	}
	program_fini(&p);
	arena_reset(&a);
	return 0;
}
