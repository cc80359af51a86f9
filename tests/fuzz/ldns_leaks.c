#include "fuzz.h"

/* ldns 1.8 forgets some octets of IPSECKEY and CERT records that are none. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libldns";
}
