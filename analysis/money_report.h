/* What a run cost, by its price book and commitments, and what it emitted: blocks of the summary
 * where the scenario has "money" or "carbon", and files to bill it again.
 *
 *   usage.json, usage_*.csv   what was used (models/money/usage.h): for `tokenyard price`
 *   ledger.csv                every dollar of the bill, where there is one */
#ifndef TOKENYARD_ANALYSIS_MONEY_REPORT_H
#define TOKENYARD_ANALYSIS_MONEY_REPORT_H

#include <stdio.h>

#include "analysis/summary.h"
#include "models/money/budget_alerts.h"
#include "models/money/carbon.h"
#include "models/money/ledger.h"
#include "scenarios/scenario.h"

/* Everything is the summary's arena's. */
struct money_summary {
    bool billed; /* there is a bill: what follows, up to energy */
    const char *book;
    struct money_kpis kpis;
    struct ledger_sums by[LEDGER_DIMENSIONS]; /* arena NULL: taken over */
    struct showback tenants, classes;         /* likewise */
    struct budget_alerts alerts;
    struct energy *energy; /* [pools]; NULL: the scenario asks for none */
    struct energy total;   /* of it */
};

/* Bills the run as its scenario says, and puts the bill in place of the summary's cost. Where there
 * is a folder, writes the files above into it. true, and nothing done, where nothing is billed by
 * the hour. */
bool money_report_make(struct summary *summary, const struct scenario *scenario,
                       const struct simulation_result *result, const char *folder,
                       struct error *error);
void money_report_free(struct summary *summary);

/* Both do nothing where there is no bill. */
void money_report_put(struct json_writer *writer, const struct summary *summary);
void money_report_print(const struct summary *summary, FILE *out);

#endif
