/* API answers in protobuf. */
#include "decode.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return decode_answer("application/vnd.kubernetes.protobuf", data, size);
}
