/* `tokenyard price RESULT_DIR`: what a run costs under other price books, dates, places, ways of
 * payment and commitments, and what its tokens would cost by an API. */
#ifndef TOKENYARD_ANALYSIS_PRICE_BILL_H
#define TOKENYARD_ANALYSIS_PRICE_BILL_H

#include <stdio.h>

#include "models/money/billing.h"
#include "sim/json_writer.h"

/* argv: the arguments after "price". */
bool price_bill_command(int argc, char *const argv[], struct error *error);

/* A run billed as it was: by the terms of its scenario (analysis/price_run.h), or else by the
 * prices that it recorded before those of the book. */
bool price_bill_as_run(const char *folder, const struct usage *usage, const struct price_book *book,
                       struct arena *arena, struct money_kpis *kpis, struct error *error);

/* --- the report (price_bill_report.c) --- */

/* What a bill differs in from the run as it was; NULL: in nothing. */
struct bill_terms {
    const char *book, *at, *region, *purchase, *api;
};

struct bill_row {
    struct bill_terms terms;
    bool committed; /* with the commitments that were asked for */
    struct money_kpis kpis;
};

struct bill_report {
    const char *folder;          /* of the run */
    const struct bill_row *rows; /* the first is what the others are compared with */
    size_t count;
    double hours; /* of the run */
    int64_t start_unix_s;
};

/* As struct price_report wants them; opaque: a struct bill_report. */
void bill_report_print(FILE *out, const void *opaque);
void bill_report_put(struct json_writer *writer, const void *opaque);
void bill_report_put_csv(FILE *out, const void *opaque);

#endif
