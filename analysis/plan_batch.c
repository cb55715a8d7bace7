#include "analysis/plan_batch.h"

static enum source_status peek(struct source *source, double *time_s, struct error *error)
{
    (void)error;
    struct plan_batch *batch = (struct plan_batch *)source;
    *time_s = 0;
    return batch->next < batch->count ? SOURCE_READY : SOURCE_END;
}

static void take(struct source *source, struct arrival *arrival)
{
    struct plan_batch *batch = (struct plan_batch *)source;
    const struct plan_request *request = &batch->requests[batch->next++ % batch->distinct];
    *arrival = (struct arrival){.prompt_tok = request->prompt_tok,
                                .output_tok = request->output_tok,
                                .stream = request->stream,
                                .client = ARRIVAL_NO_ID,
                                .session = ARRIVAL_NO_ID};
}

static const struct source_ops batch_ops = {.name = "batch", .peek = peek, .take = take};

struct plan_batch plan_batch(const struct plan_request *requests, size_t distinct, size_t count)
{
    return (struct plan_batch){{&batch_ops}, requests, distinct, 0, count};
}
