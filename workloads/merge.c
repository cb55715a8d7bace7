#include "workloads/merge.h"

/* What an inner source said last. */
struct lane {
    struct source *source;
    bool asked;
    enum source_status status;
    double time_s;
};

struct merge {
    struct source base;
    uint32_t count;
    uint32_t first; /* the lane that the last peek found */
    struct lane *lanes;
};

static enum source_status lane_peek(struct lane *lane, struct error *error)
{
    if (!lane->asked)
        lane->status = source_peek(lane->source, &lane->time_s, error);
    lane->asked = true;
    return lane->status;
}

/* Ready if any is; else waiting if any is; else at the end. */
static enum source_status merge_peek(struct source *source, double *time_s, struct error *error)
{
    struct merge *merge = (struct merge *)source;
    enum source_status status = SOURCE_END;
    for (uint32_t i = 0; i < merge->count; i++) {
        struct lane *lane = &merge->lanes[i];
        enum source_status lane_status = lane_peek(lane, error);
        if (lane_status == SOURCE_FAILED)
            return SOURCE_FAILED;
        if (lane_status == SOURCE_WAIT && status == SOURCE_END)
            status = SOURCE_WAIT;
        if (lane_status == SOURCE_READY && (status != SOURCE_READY || lane->time_s < *time_s)) {
            status = SOURCE_READY;
            *time_s = lane->time_s;
            merge->first = i;
        }
    }
    return status;
}

static void merge_take(struct source *source, struct arrival *arrival)
{
    struct merge *merge = (struct merge *)source;
    struct lane *lane = &merge->lanes[merge->first];
    source_take(lane->source, arrival);
    arrival->stream = merge->first;
    lane->asked = false;
}

static void merge_ended(struct source *source, const struct arrival_end *end)
{
    struct lane *lane = &((struct merge *)source)->lanes[end->stream];
    struct arrival_end inner = *end;
    inner.stream = 0;
    source_ended(lane->source, &inner);
    lane->asked = false;
}

static bool merge_rewind(struct source *source, struct error *error)
{
    struct merge *merge = (struct merge *)source;
    for (uint32_t i = 0; i < merge->count; i++) {
        struct lane *lane = &merge->lanes[i];
        if (!source_rewind(lane->source, error))
            return false;
        lane->asked = false;
    }
    return true;
}

static uint64_t merge_skipped(const struct source *source)
{
    const struct merge *merge = (const struct merge *)source;
    uint64_t skipped = 0;
    for (uint32_t i = 0; i < merge->count; i++)
        skipped += source_skipped(merge->lanes[i].source);
    return skipped;
}

static void merge_destroy(struct source *source)
{
    struct merge *merge = (struct merge *)source;
    for (uint32_t i = 0; i < merge->count; i++)
        source_destroy(merge->lanes[i].source);
}

struct source *merge_create(struct source *const *inner, uint32_t count, struct arena *arena)
{
    static const struct source_ops ops = {
        .name = "merge",
        .peek = merge_peek,
        .take = merge_take,
        .ended = merge_ended,
        .rewind = merge_rewind,
        .skipped = merge_skipped,
        .destroy = merge_destroy,
    };
    struct merge *merge = ARENA_NEW(arena, struct merge);
    *merge = (struct merge){.base = {&ops}, .count = count};
    merge->lanes = ARENA_ARRAY(arena, count, struct lane);
    for (uint32_t i = 0; i < count; i++)
        merge->lanes[i].source = inner[i];
    return &merge->base;
}
