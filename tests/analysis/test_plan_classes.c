#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "analysis/plan_classes.h"

/* A source of `left` requests, one per second, whose lengths follow from their number. */
struct counting_source {
    struct source source;
    size_t next, count;
    enum source_status end;
};

static enum source_status counting_peek(struct source *source, double *time_s, struct error *error)
{
    struct counting_source *s = (struct counting_source *)source;
    if (s->next == s->count)
        return s->end == SOURCE_FAILED ? (error_set(error, ERROR_BAD_INPUT, "broken"), s->end)
                                       : s->end;
    *time_s = 10 + (double)s->next;
    return SOURCE_READY;
}

static void counting_take(struct source *source, struct arrival *arrival)
{
    struct counting_source *s = (struct counting_source *)source;
    *arrival = (struct arrival){.time_s = 10 + (double)s->next,
                                .prompt_tok = 1 + (uint32_t)(s->next * 7919 % 1000),
                                .output_tok = 1 + (uint32_t)(s->next * 104729 % 300),
                                .stream = (uint32_t)(s->next % 2)};
    s->next++;
}

static const struct source_ops counting_ops = {
    .name = "counting", .peek = counting_peek, .take = counting_take};

static struct counting_source counting(size_t count, enum source_status end)
{
    return (struct counting_source){{&counting_ops}, 0, count, end};
}

static struct plan_sample sample_of(size_t count, struct arena *arena)
{
    struct counting_source source = counting(count, SOURCE_END);
    struct plan_sample sample;
    cr_assert(plan_sample_read(&source.source, count, arena, &sample, NULL));
    return sample;
}

Test(plan_classes, sample_stops_at_the_limit_or_the_end)
{
    struct arena *arena = arena_create();
    struct counting_source source = counting(50, SOURCE_END);
    struct plan_sample sample;
    cr_assert(plan_sample_read(&source.source, 20, arena, &sample, NULL));
    cr_assert_eq(sample.count, 20);
    cr_assert_float_eq(sample.span_s, 19, 0);
    cr_assert(plan_sample_read(&source.source, 100, arena, &sample, NULL));
    cr_assert_eq(sample.count, 30);
    arena_destroy(arena);
}

Test(plan_classes, sample_refuses_what_cannot_be_planned)
{
    static const enum source_status ends[] = {SOURCE_END, SOURCE_WAIT, SOURCE_FAILED};
    struct arena *arena = arena_create();
    for (size_t i = 0; i < 3; i++) {
        struct counting_source source = counting(ends[i] == SOURCE_END ? 0 : 5, ends[i]);
        struct plan_sample sample;
        struct error error = {0};
        cr_assert_not(plan_sample_read(&source.source, 100, arena, &sample, &error));
        cr_assert_eq(error.code, ERROR_BAD_INPUT);
    }
    arena_destroy(arena);
}

/* Every request is in exactly one class, and quantile bins hold about equally many. */
Test(plan_classes, quantile_cut_conserves_demand)
{
    struct arena *arena = arena_create();
    struct plan_sample sample = sample_of(3000, arena);
    struct class_rule *rules;
    struct plan_axis prompt = {.bins = 3}, output = {.bins = 2};
    size_t count = plan_cut(&sample, &prompt, &output, arena, &rules);
    cr_assert_eq(count, 6);
    struct plan_group *groups = plan_group_requests(&sample, rules, count, arena);
    size_t total = 0;
    double prompt_tok = 0;
    for (size_t w = 0; w < count; w++) {
        cr_assert_float_eq((double)groups[w].count, 500, 50, "%s", rules[w].name);
        total += groups[w].count;
        prompt_tok += groups[w].mean_prompt_tok * (double)groups[w].count;
        for (size_t i = 0; i < groups[w].count; i++) {
            const struct plan_request *r = &groups[w].requests[i];
            cr_assert(r->prompt_tok >= rules[w].prompt_min_tok &&
                      r->prompt_tok <= rules[w].prompt_max_tok);
            cr_assert(r->output_tok >= rules[w].output_min_tok &&
                      r->output_tok <= rules[w].output_max_tok);
            cr_assert(i == 0 || r[-1].time_s < r->time_s);
        }
    }
    cr_assert_eq(total, sample.count);
    double expected = 0;
    for (size_t i = 0; i < sample.count; i++)
        expected += sample.requests[i].prompt_tok;
    cr_assert_float_eq(prompt_tok, expected, 1e-6 * expected);
    arena_destroy(arena);
}

Test(plan_classes, edges_start_bins)
{
    struct arena *arena = arena_create();
    struct plan_sample sample = sample_of(100, arena);
    const int64_t edges[] = {100, 500};
    struct class_rule *rules;
    struct plan_axis prompt = {.edges = edges, .edge_count = 2}, output = {.bins = 1};
    cr_assert_eq(plan_cut(&sample, &prompt, &output, arena, &rules), 3);
    cr_assert_str_eq(rules[0].name, "prompt 1..99");
    cr_assert_str_eq(rules[1].name, "prompt 100..499");
    cr_assert_str_eq(rules[2].name, "prompt 500..");
    cr_assert_eq(rules[1].prompt_min_tok, 100);
    cr_assert_eq(rules[1].prompt_max_tok, 499);
    cr_assert_eq(rules[2].prompt_max_tok, UINT32_MAX);
    cr_assert_eq(rules[2].prompt_min_tok, 0); /* closes the list */
    cr_assert_eq(rules[0].output_max_tok, UINT32_MAX);
    arena_destroy(arena);
}

/* Where all lengths are the same there is one class, however many bins were asked for. */
Test(plan_classes, equal_quantiles_fall_together)
{
    struct arena *arena = arena_create();
    struct plan_sample sample = sample_of(100, arena);
    for (size_t i = 0; i < sample.count; i++)
        sample.requests[i].prompt_tok = sample.requests[i].output_tok = 64;
    struct class_rule *rules;
    struct plan_axis four = {.bins = 4};
    cr_assert_eq(plan_cut(&sample, &four, &four, arena, &rules), 1);
    cr_assert_str_eq(rules[0].name, "all");
    arena_destroy(arena);
}

Test(plan_classes, groups_follow_the_first_rule_that_matches)
{
    struct arena *arena = arena_create();
    struct plan_sample sample = sample_of(100, arena);
    const struct class_rule rules[] = {
        {"odd", 1, 0, UINT32_MAX, 0, UINT32_MAX},
        {"short", -1, 0, 500, 0, UINT32_MAX},
        {"empty", -1, 0, 10, 0, UINT32_MAX},
    };
    struct plan_group *groups = plan_group_requests(&sample, rules, 3, arena);
    cr_assert_eq(groups[0].count, 50);
    cr_assert(groups[1].count > 10 && groups[1].count < 40);
    cr_assert_eq(groups[2].count, 0);
    cr_assert_float_eq(groups[2].mean_prompt_tok, 0, 0);
    for (size_t i = 0; i < groups[1].count; i++)
        cr_assert(groups[1].requests[i].stream == 0 && groups[1].requests[i].prompt_tok <= 500);
    arena_destroy(arena);
}
