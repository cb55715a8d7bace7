/* What drafting adds to the tables of a step time. */
#include <assert.h>
#include <stdlib.h>

#include "models/steptime/steptime_parts.h"

static void add_lines(struct decode_line *lines, const struct decode_line *more, fine_t times,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert(lines[i].until == more[i].until);
        lines[i].base += times * more[i].base;
        lines[i].slope += times * more[i].slope;
    }
}

/* To what an iteration takes by its tokens, prompts among them. */
static void add_first_pass(struct steptime *steptime, const struct steptime *first)
{
    for (int64_t m = 0; m <= steptime->max_batch_tokens; m++)
        steptime->by_tokens[m] += first->by_tokens[m];
    for (int64_t n = 0; n <= steptime->max_sequences; n++)
        steptime->decode_base[n] +=
            first->decode_base[n] - first->head[n * first->decode_tok] + first->head[n];
    assert(steptime->prefill.knots == first->prefill.knots);
    for (size_t i = 0; i < first->prefill.knots; i++)
        steptime->prefill.time[i] += first->prefill.time[i];
    steptime->prefill_step += first->prefill_step;
    steptime->key += first->key;
    steptime->launch += first->launch;
}

bool steptime_add_draft(struct steptime *steptime, const struct steptime *first,
                        const struct steptime *next, int64_t passes, struct error *error)
{
    assert(!steptime->pipeline && !first->pipeline && !next->pipeline);
    assert(steptime->lines == first->lines && steptime->lines == next->lines);
    size_t counts = (size_t)steptime->max_sequences + 1, lines = counts * steptime->lines;
    steptime->draft = calloc(counts, sizeof *steptime->draft);
    if (!steptime->draft)
        return error_set(error, ERROR_FAILED, "out of memory for step times");
    add_first_pass(steptime, first);
    bool apart = steptime->mixed_attention != steptime->attention;
    add_lines(steptime->attention, first->attention, 1, lines);
    add_lines(steptime->attention, next->attention, passes, lines);
    if (apart) {
        add_lines(steptime->mixed_attention, first->mixed_attention, 1, lines);
        add_lines(steptime->mixed_attention, next->mixed_attention, passes, lines);
    }
    for (int64_t n = 1; n <= steptime->max_sequences; n++) {
        steptime->decode_base[n] += passes * next->decode_base[n];
        steptime->draft[n] = first->head[n] + passes * next->decode_base[n];
    }
    return true;
}
