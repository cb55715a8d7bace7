/* A distribution as its inverse CDF: knots joined by straight lines, read in constant time.
 *
 * Every token-length distribution is compiled into one of these, so that a draw costs the same for
 * all of them: the cell of a guide table (Chen and Asau, "On generating random variates from an
 * empirical distribution", AIIE Transactions 6, 1974) names the knot to start from, at most a few
 * steps lead to the right one. Because the value grows with u, two draws can be correlated by
 * correlating their u. Memory belongs to the arena. */
#ifndef TOKENYARD_WORKLOADS_INVERSE_CDF_H
#define TOKENYARD_WORKLOADS_INVERSE_CDF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/arena.h"

#define INVERSE_CDF_CELLS 1024

/* A share p of all values is at most x. Knots with equal p make a jump, with equal x a spike. */
struct inverse_cdf_knot {
    double p;
    double x;
};

struct inverse_cdf_line {
    double p;     /* where it starts */
    double x;     /* value at its start */
    double slope; /* dx / dp */
};

struct inverse_cdf {
    struct inverse_cdf_line *lines;    /* ends with a line at p > 1, which stops the search */
    uint32_t guide[INVERSE_CDF_CELLS]; /* last line that starts at or before the cell's start */
};

/* knots: at least two, p and x never decreasing, p from 0 to 1 (asserted; see inverse_cdf_flaw). */
void inverse_cdf_build(struct inverse_cdf *cdf, const struct inverse_cdf_knot *knots, size_t count,
                       struct arena *arena);

/* What is wrong with knots a user gave, as the rest of a sentence that starts with the knot ("is
 * ..."), and which knot it is; NULL when nothing is. */
const char *inverse_cdf_flaw(const struct inverse_cdf_knot *knots, size_t count, size_t *which);

/* u in [0, 1). */
static inline double inverse_cdf_at(const struct inverse_cdf *cdf, double u)
{
    const struct inverse_cdf_line *line = &cdf->lines[cdf->guide[(int)(u * INVERSE_CDF_CELLS)]];
    while (line[1].p <= u)
        line++;
    return line->x + (u - line->p) * line->slope;
}

#endif
