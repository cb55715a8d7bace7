#include "analysis/plan_classes.h"

#include <stdlib.h>
#include <string.h>

/* --- sampling --- */

static enum source_status sample_next(struct source *source, struct plan_request *request,
                                      struct error *error)
{
    double time_s;
    enum source_status status = source_peek(source, &time_s, error);
    if (status != SOURCE_READY)
        return status;
    struct arrival arrival;
    source_take(source, &arrival);
    *request = (struct plan_request){arrival.time_s, arrival.prompt_tok, arrival.output_tok,
                                     arrival.stream};
    return SOURCE_READY;
}

static bool sample_ended_well(enum source_status status, const struct plan_sample *sample,
                              struct error *error)
{
    if (status == SOURCE_FAILED)
        return false;
    if (status == SOURCE_WAIT) {
        error_set(error, ERROR_BAD_INPUT, "a plan needs arrivals that do not wait for answers");
        return error_hint(error, "give the workload a trace or an open-loop generator");
    }
    if (sample->count == 0)
        return error_set(error, ERROR_BAD_INPUT, "the workload has no requests to plan for");
    return true;
}

bool plan_sample_read(struct source *source, size_t limit, struct arena *arena,
                      struct plan_sample *sample, struct error *error)
{
    *sample = (struct plan_sample){.requests = ARENA_ARRAY(arena, limit, struct plan_request)};
    enum source_status status = SOURCE_READY;
    while (sample->count < limit) {
        status = sample_next(source, &sample->requests[sample->count], error);
        if (status != SOURCE_READY)
            break;
        sample->count++;
    }
    if (!sample_ended_well(status, sample, error))
        return false;
    sample->span_s = sample->requests[sample->count - 1].time_s - sample->requests[0].time_s;
    return true;
}

/* --- cutting --- */

/* Half-open bins [start[k], start[k + 1]), the last one open. */
struct bins {
    uint32_t *start;
    size_t count;
};

static void bins_add(struct bins *bins, uint32_t start)
{
    if (bins->count == 0 || start > bins->start[bins->count - 1])
        bins->start[bins->count++] = start;
}

static int compare_lengths(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* lengths is sorted in place. */
static struct bins cut_axis(uint32_t *lengths, size_t count, const struct plan_axis *axis,
                            struct arena *arena)
{
    size_t most = 1 + (axis->edge_count ? axis->edge_count : axis->bins);
    struct bins bins = {ARENA_ARRAY(arena, most, uint32_t), 0};
    bins_add(&bins, 1);
    for (size_t i = 0; i < axis->edge_count; i++)
        bins_add(&bins, (uint32_t)axis->edges[i]);
    if (axis->edge_count)
        return bins;
    qsort(lengths, count, sizeof *lengths, compare_lengths);
    for (size_t k = 1; k < axis->bins; k++) {
        uint32_t start = lengths[k * count / axis->bins];
        if (start > lengths[0])
            bins_add(&bins, start);
    }
    return bins;
}

static uint32_t bin_last(const struct bins *bins, size_t k)
{
    return k + 1 < bins->count ? bins->start[k + 1] - 1 : UINT32_MAX;
}

/* "prompt 512..1023" or "prompt 1024.." */
static const char *bin_name(const char *what, const struct bins *bins, size_t k,
                            struct arena *arena)
{
    if (k + 1 == bins->count)
        return arena_printf(arena, "%s %u..", what, bins->start[k]);
    return arena_printf(arena, "%s %u..%u", what, bins->start[k], bin_last(bins, k));
}

static const char *class_name(const struct bins *prompt, size_t p, const struct bins *output,
                              size_t o, struct arena *arena)
{
    if (prompt->count == 1 && output->count == 1)
        return "all";
    if (output->count == 1)
        return bin_name("prompt", prompt, p, arena);
    if (prompt->count == 1)
        return bin_name("output", output, o, arena);
    return arena_printf(arena, "%s, %s", bin_name("prompt", prompt, p, arena),
                        bin_name("output", output, o, arena));
}

size_t plan_cut(const struct plan_sample *sample, const struct plan_axis *prompt_axis,
                const struct plan_axis *output_axis, struct arena *arena, struct class_rule **rules)
{
    uint32_t *lengths = ARENA_ARRAY(arena, sample->count, uint32_t);
    for (size_t i = 0; i < sample->count; i++)
        lengths[i] = sample->requests[i].prompt_tok;
    struct bins prompt = cut_axis(lengths, sample->count, prompt_axis, arena);
    for (size_t i = 0; i < sample->count; i++)
        lengths[i] = sample->requests[i].output_tok;
    struct bins output = cut_axis(lengths, sample->count, output_axis, arena);
    *rules = ARENA_ARRAY(arena, prompt.count * output.count, struct class_rule);
    size_t count = 0;
    for (size_t p = 0; p < prompt.count; p++)
        for (size_t o = 0; o < output.count; o++)
            (*rules)[count++] = (struct class_rule){
                .name = class_name(&prompt, p, &output, o, arena),
                .stream = -1,
                .prompt_min_tok = prompt.start[p],
                .prompt_max_tok = bin_last(&prompt, p),
                .output_min_tok = output.start[o],
                .output_max_tok = bin_last(&output, o),
            };
    struct class_rule *rest = &(*rules)[count - 1];
    rest->prompt_min_tok = rest->output_min_tok = 0;
    return count;
}

/* --- grouping --- */

static void take_means(struct plan_group *group)
{
    double prompt_tok = 0, output_tok = 0;
    for (size_t i = 0; i < group->count; i++) {
        prompt_tok += group->requests[i].prompt_tok;
        output_tok += group->requests[i].output_tok;
    }
    if (group->count == 0)
        return;
    group->mean_prompt_tok = prompt_tok / (double)group->count;
    group->mean_output_tok = output_tok / (double)group->count;
}

struct plan_group *plan_group_requests(const struct plan_sample *sample,
                                       const struct class_rule *rules, size_t rule_count,
                                       struct arena *arena)
{
    size_t *class_of = ARENA_ARRAY(arena, sample->count, size_t);
    size_t *filled = ARENA_ARRAY(arena, rule_count + 1, size_t);
    struct plan_group *groups = ARENA_ARRAY(arena, rule_count, struct plan_group);
    for (size_t i = 0; i < sample->count; i++) {
        const struct plan_request *request = &sample->requests[i];
        class_of[i] = class_rule_first(rules, rule_count, request->stream, request->prompt_tok,
                                       request->output_tok);
        filled[class_of[i]]++;
    }
    struct plan_request *sorted = ARENA_ARRAY(arena, sample->count, struct plan_request);
    size_t start = 0;
    for (size_t w = 0; w < rule_count; w++) {
        groups[w] = (struct plan_group){.requests = sorted + start, .count = filled[w]};
        start += filled[w];
    }
    memset(filled, 0, (rule_count + 1) * sizeof *filled);
    for (size_t i = 0; i < sample->count; i++)
        if (class_of[i] < rule_count)
            sorted[(groups[class_of[i]].requests - sorted) + filled[class_of[i]]++] =
                sample->requests[i];
    for (size_t w = 0; w < rule_count; w++)
        take_means(&groups[w]);
    return groups;
}
