/* Any bytes, read as JSON Lines traces. */
#include "tests/fuzz/trace_bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_trace_bytes(data, size, SYNTAX_JSONL);
    return 0;
}
