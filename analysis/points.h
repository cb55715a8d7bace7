/* Measured points: what a real server did under a closed loop of clients, one row each.
 *
 * Read from CSV by the names of its columns; order is free and other columns are ignored. A user
 * writes such files, so a cell that is wrong is an error that names file, line and column. Empty
 * optional cells take their default. In a file with the columns prefill_num_workers, ... rows
 * without `tp` are of servers that prefill and decode apart, `disaggregated`; where they leave
 * those columns empty, nobody recorded the two sides, and their `workers` are 0. Texts belong to
 * the arena. */
#ifndef TOKENYARD_ANALYSIS_POINTS_H
#define TOKENYARD_ANALYSIS_POINTS_H

#include <stdio.h>

#include "sim/arena.h"
#include "sim/config.h"

/* One side of a server that prefills and decodes apart: workers that are all alike. */
struct side_layout {
    int64_t workers; /* 0: not recorded */
    int64_t tp, pp, attn_dp, moe_tp, moe_ep;
};

struct measured_point {
    const char *file;
    long line;
    const char *id, *origin, *measured, *model, *model_path, *arch, *system, *backend;
    const char *backend_version, *precision, *gemm_quant, *moe_quant, *flag, *group; /* or "" */
    int64_t isl, osl;     /* nominal prompt and output length */
    double len_ratio_min; /* lengths are uniform in [this x nominal, nominal]; 1: fixed */
    int64_t concurrency;  /* clients; 0 when not recorded (disaggregated rows only) */
    int64_t tp, pp, attn_dp, moe_tp, moe_ep; /* tp is 0 in disaggregated rows */
    double ttft_ms, tpot_ms;                 /* means over all requests; one may be NaN */
    bool disaggregated;
    struct side_layout prefill, decode; /* of disaggregated rows */
};

/* Lengths of a measured point's requests: all whole numbers from min to max are equally likely. */
struct length_range {
    int64_t min_tok, max_tok;
};
struct length_range point_lengths(int64_t nominal_tok, double len_ratio_min);

/* Measured end-to-end latency: TTFT + TPOT x (mean output - 1), ms; NaN where one is missing. */
double point_e2e_ms(const struct measured_point *point);

/* Appends a file's rows to `points`, a list of struct measured_point in the arena. */
bool points_read(const char *path, struct arena *arena, struct config_list *points,
                 struct error *error);

/* Writes the columns of all that identifies a point, and its measured latencies; no line end. */
void points_put_header(FILE *out);
void points_put_row(const struct measured_point *point, FILE *out);

#endif
