/* kubeconfig files: any text gives access or one sentence, and nothing else. */
#include "fuzz.h"

#include "base/must.h"
#include "cluster/access.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct access_options o = {.kubeconfig = "/nowhere/config"};
	struct err e = {{0}};
	struct access *a = access_parse(&o, (struct str){(const char *)data, n}, &e);

	must((a == NULL) == (e.text[0] != '\0'));
	if (a != NULL) {
		struct access_credentials c = access_credentials(a);

		must(strncmp(access_url(a), "http", 4) == 0);
		must(c.token == NULL || strpbrk(c.token, " \r\n") == NULL);
	}
	access_free(a);
	return 0;
}
