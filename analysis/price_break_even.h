/* `tokenyard price break-even`: from how many tokens a month on self-hosting beats an API.
 *
 * What a node serves and costs, the mix of tokens and the shape of the load come from a run, or
 * from options. Beside all crossings stand the usual answer (rent over price), the costs at one
 * volume, and the break-even by utilisation. */
#ifndef TOKENYARD_ANALYSIS_PRICE_BREAK_EVEN_H
#define TOKENYARD_ANALYSIS_PRICE_BREAK_EVEN_H

#include <stdio.h>

#include "analysis/plots.h"
#include "models/money/break_even.h"
#include "sim/json_writer.h"

/* argv: the arguments after "price break-even". */
bool price_break_even_command(int argc, char *const argv[], struct error *error);

/* --- the report (price_break_even_report.c) --- */

enum { UTILISATIONS = 8 }; /* 20 % to 90 % */

struct break_even_at { /* a utilisation */
    double utilisation;
    struct break_even found;
};

struct break_even_report {
    struct self_hosting host;
    bool served_by_run; /* host.tok_per_s is what the run's nodes served while they were busy */
    struct api_prices api;
    const char *api_name; /* NULL: prices were given */
    struct token_mix mix;
    double tok_per_month; /* at which costs are compared; NaN: nowhere */
    struct break_even found;
    struct break_even_at sweep[UTILISATIONS];
};

/* Computes what is to be said; host, api and mix are set. */
void break_even_report_fill(struct break_even_report *report, struct arena *arena);

/* As struct price_report wants them; opaque: a struct break_even_report. */
void break_even_report_print(FILE *out, const void *opaque);
void break_even_report_put(struct json_writer *writer, const void *opaque);
void break_even_report_put_csv(FILE *out, const void *opaque);
/* price_plot.c: FOLDER/break_even.{dat,gp,svg}. */
bool break_even_report_plot(const char *folder, const void *opaque, struct plots_outcome *outcome,
                            struct error *error);

#endif
