/* API answers in JSON. */
#include "decode.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return decode_answer("application/json", data, size);
}
