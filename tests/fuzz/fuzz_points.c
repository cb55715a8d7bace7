/* Any bytes, read as measured points: refused with a located error, or read into points that keep
 * their bounds. */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "analysis/points.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_side(const struct side_layout *side)
{
    return side->workers == 0 || (side->tp > 0 && side->pp > 0 && side->attn_dp > 0 &&
                                  side->moe_tp > 0 && side->moe_ep > 0);
}

static void check_point(const struct measured_point *point)
{
    assert(point->model[0] && point->system[0] && point->backend[0] && point->precision[0]);
    assert(point->isl > 0 && point->osl > 0 && point->pp > 0 && point->attn_dp > 0);
    assert(point->disaggregated || (point->tp > 0 && point->concurrency > 0));
    assert(is_side(&point->prefill) && is_side(&point->decode));
    assert(point->len_ratio_min > 0 && point->len_ratio_min <= 1);
    assert(point->ttft_ms > 0 || point->tpot_ms > 0);
    struct length_range range = point_lengths(point->isl, point->len_ratio_min);
    assert(range.min_tok >= 1 && range.min_tok <= range.max_tok);
    assert(isnan(point_e2e_ms(point)) || point_e2e_ms(point) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int file = memfd_create("points", 0);
    assert(file >= 0 && write(file, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    struct arena *arena = arena_create();
    struct config_list points = {0};
    struct error error = {0};
    if (points_read(path, arena, &points, &error))
        for (size_t i = 0; i < points.count; i++)
            check_point((const struct measured_point *)points.items + i);
    else
        assert(error.code == ERROR_BAD_INPUT && error.file[0] && error.message[0]);
    arena_destroy(arena);
    close(file);
    return 0;
}
