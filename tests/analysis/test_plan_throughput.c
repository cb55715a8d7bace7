/* The measured throughput against what a hand can compute. */
#include <criterion/criterion.h>
#include <math.h>

#include "analysis/plan_throughput.h"

enum { SEQUENCES = 4 };

/* A replica whose iterations take 10 ms whatever they hold. */
static struct engine_config steady_engine(struct steptime **steptime)
{
    const struct steptime_given given = {.base_s = 0.01};
    *steptime = steptime_compile_given(&given, SEQUENCES, 4096, 16000, NULL);
    cr_assert_not_null(*steptime);
    return (struct engine_config){.steptime = *steptime,
                                  .max_sequences = SEQUENCES,
                                  .max_batch_tokens = 4096,
                                  .block_tok = 16,
                                  .kv_blocks = 1000,
                                  .max_model_tok = 2000,
                                  .chunked_prefill = true};
}

static double throughput_of(const struct plan_request *requests, size_t count)
{
    struct steptime *steptime;
    struct engine_config engine = steady_engine(&steptime);
    struct plan_group group = {.requests = requests, .count = count};
    double requests_per_s;
    struct error error = {0};
    cr_assert(plan_throughput(&engine, &group, 100, &requests_per_s, &error), "%s", error.message);
    steptime_destroy(steptime);
    return requests_per_s;
}

/* Equal requests run in waves of four: ten iterations emit ten tokens each, so 4 per 0.1 s. */
Test(plan_throughput, equal_requests_in_waves)
{
    const struct plan_request request = {.prompt_tok = 16, .output_tok = 10};
    cr_assert_float_eq(throughput_of(&request, 1), 40, 1e-6);
}

/* Four sequences always decode, so each second yields 400 tokens: 400 / 22 requests of 22 tokens in
 * the mean. */
Test(plan_throughput, unequal_requests_share_the_batch)
{
    struct plan_request requests[7];
    const uint32_t lengths[] = {3, 50, 8, 21, 34, 25, 13};
    for (size_t i = 0; i < 7; i++)
        requests[i] = (struct plan_request){.prompt_tok = 16, .output_tok = lengths[i]};
    cr_assert_float_eq(throughput_of(requests, 7) / (400.0 / 22), 1, 0.02);
}

/* One request longer than the model: the deployment cannot serve the class. */
Test(plan_throughput, a_request_that_does_not_fit_means_zero)
{
    const struct plan_request requests[] = {{.prompt_tok = 16, .output_tok = 10},
                                            {.prompt_tok = 1995, .output_tok = 10}};
    cr_assert_float_eq(throughput_of(requests, 2), 0, 0);
    cr_assert_gt(throughput_of(requests, 1), 0);
}
