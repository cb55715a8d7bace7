#include "analysis/money_report.h"

#include <math.h>
#include <string.h>

#include "analysis/human.h"
#include "models/money/money_config.h"
#include "models/money/utc_date.h"
#include "sim/out_file.h"

#define USD_PER_NANO 1e-9

enum { NAME_COLUMNS = 24 };

/* --- making it --- */

static bool write_ledger(const struct ledger *ledger, const char *folder, struct arena *arena,
                         struct error *error)
{
    struct out_file *file = out_file_open(arena_printf(arena, "%s/ledger.csv", folder), error);
    if (!file)
        return false;
    ledger_write(ledger, out_file_stream(file));
    return out_file_commit(file, error);
}

/* Pools' money is what their nodes cost; commitments that nobody used are in the total alone. */
static void settle_costs(struct summary *summary)
{
    const struct ledger_sums *pools = &summary->money->by[LEDGER_BY_POOL];
    for (size_t i = 0; i < summary->facts.spec->pool_count && i < pools->count; i++)
        summary_set_pool_cost(summary, i, (double)pools->rows[i].total_nano_usd * USD_PER_NANO);
    summary_set_cost(summary, summary->money->kpis.usd);
}

static void take_sums(struct money_summary *money, const struct ledger *ledger)
{
    money->billed = true;
    money->kpis = money_kpis(ledger);
    for (int i = 0; i < LEDGER_DIMENSIONS; i++)
        money->by[i] = ledger_sum_by(ledger, (enum ledger_dimension)i);
}

static bool bill(struct summary *summary, const struct scenario *scenario,
                 const struct usage *usage, const char *folder, struct error *error)
{
    const struct money_config *config = scenario->config.money;
    struct money_summary *money = summary->money;
    const struct money_place place = {scenario->document, "/money", scenario->folder,
                                      scenario->catalog_folder};
    struct money_result result;
    if (!money_bill(config, &place, usage, summary->arena, &result, error))
        return false;
    money->book = config->price_book ? config->price_book : "the catalogue's prices";
    take_sums(money, &result.ledger);
    money->tenants = showback_make(&result.ledger, true, config->share_idle);
    money->classes = showback_make(&result.ledger, false, config->share_idle);
    money->alerts = result.alerts;
    settle_costs(summary);
    bool written = !folder || write_ledger(&result.ledger, folder, summary->arena, error);
    ledger_free(&result.ledger);
    return written;
}

static bool count_carbon(struct summary *summary, const struct scenario *scenario,
                         const struct usage *usage, struct error *error)
{
    struct arena *arena = summary->arena;
    struct money_summary *money = summary->money;
    size_t pools = scenario->pool_count;
    const char *path = arena_printf(arena, "%s/carbon.json", scenario->catalog_folder);
    const struct carbon_facts *facts = carbon_facts_read(path, arena, error);
    if (!facts)
        return false;
    struct pool_power *power = ARENA_ARRAY(arena, pools, struct pool_power);
    money->energy = ARENA_ARRAY(arena, pools, struct energy);
    for (size_t i = 0; i < pools; i++)
        power[i] = (struct pool_power){.gpu = scenario->deployments[i].gpu->name,
                                       .gpu_idle_w = scenario->deployments[i].gpu->idle_w,
                                       .replica_idle_w = scenario->pools[i].idle_w,
                                       .replica_busy_w = scenario->pools[i].busy_w};
    carbon_of_usage(scenario->config.carbon, facts, usage, power, money->energy);
    for (size_t i = 0; i < pools; i++)
        energy_add(&money->total, &money->energy[i]);
    return true;
}

bool money_report_make(struct summary *summary, const struct scenario *scenario,
                       const struct simulation_result *result, const char *folder,
                       struct error *error)
{
    if (!result->elastic)
        return true;
    const struct usage *usage = &result->elastic->usage;
    summary->money = ARENA_NEW(summary->arena, struct money_summary);
    return (!folder || usage_write(usage, folder, error)) &&
           (!scenario->config.money || bill(summary, scenario, usage, folder, error)) &&
           (!scenario->config.carbon || count_carbon(summary, scenario, usage, error));
}

void money_report_free(struct summary *summary)
{
    struct money_summary *money = summary->money;
    if (!money || !money->billed)
        return;
    for (int i = 0; i < LEDGER_DIMENSIONS; i++)
        ledger_sums_free(&money->by[i]);
    showback_free(&money->tenants);
    showback_free(&money->classes);
}

/* --- summary.json --- */

static void put_nano(struct json_writer *writer, const char *key, int64_t nano_usd)
{
    json_put_number(writer, key, (double)nano_usd * USD_PER_NANO);
}

static void put_kpis(struct json_writer *writer, const struct money_kpis *kpis)
{
    json_put_number(writer, "usd", kpis->usd);
    for (int i = 0; i < MONEY_CATEGORIES; i++) {
        char key[64];
        snprintf(key, sizeof key, "%s_usd", money_category_names[i]);
        json_put_number(writer, key, kpis->usd_by_category[i]);
    }
    json_put_number(writer, "usd_per_million_tokens", kpis->usd_per_mtok);
    json_put_number(writer, "usd_per_million_input_tokens", kpis->usd_per_input_mtok);
    json_put_number(writer, "usd_per_million_output_tokens", kpis->usd_per_output_mtok);
    json_put_number(writer, "usd_per_thousand_requests", kpis->usd_per_thousand_requests);
    json_put_number(writer, "requests_per_usd", kpis->requests_per_usd);
    json_put_number(writer, "good_requests_per_usd", kpis->good_requests_per_usd);
    json_put_number(writer, "gpu_hours", kpis->gpu_hours);
    json_put_number(writer, "productive_gpu_hours", kpis->productive_gpu_hours);
    json_put_number(writer, "usd_per_gpu_hour", kpis->usd_per_gpu_hour);
    json_put_number(writer, "usd_per_productive_gpu_hour", kpis->usd_per_productive_gpu_hour);
}

static void put_sums(struct json_writer *writer, const char *key, const struct ledger_sums *sums)
{
    json_begin_list(writer, key);
    for (size_t i = 0; i < sums->count; i++) {
        const struct ledger_sum *row = &sums->rows[i];
        json_begin_object(writer, NULL);
        json_put_string(writer, "name", row->label);
        put_nano(writer, "usd", row->total_nano_usd);
        for (int c = 0; c < MONEY_CATEGORIES; c++)
            put_nano(writer, money_category_names[c], row->nano_usd[c]);
        json_put_number(writer, "instance_hours", row->instance_hours);
        json_end_object(writer);
    }
    json_end_list(writer);
}

static void put_showback(struct json_writer *writer, const char *key,
                         const struct showback *showback)
{
    json_begin_object(writer, key);
    json_begin_list(writer, "rows");
    for (size_t i = 0; i < showback->count; i++) {
        const struct showback_row *row = &showback->rows[i];
        json_begin_object(writer, NULL);
        json_put_string(writer, "name", row->label);
        json_put_integer(writer, "requests", row->requests);
        json_put_integer(writer, "prompt_tokens", row->prompt_tok);
        json_put_integer(writer, "output_tokens", row->output_tok);
        put_nano(writer, "direct_usd", row->direct_nano_usd);
        put_nano(writer, "shared_usd", row->shared_nano_usd);
        put_nano(writer, "usd", row->direct_nano_usd + row->shared_nano_usd);
        json_end_object(writer);
    }
    json_end_list(writer);
    put_nano(writer, "kept_apart_usd", showback->apart_nano_usd);
    json_end_object(writer);
}

static void put_alerts(struct json_writer *writer, const struct budget_alerts *alerts)
{
    char date[32];
    json_begin_list(writer, "alerts");
    for (size_t i = 0; i < alerts->count; i++) {
        const struct budget_alert *alert = &alerts->items[i];
        json_begin_object(writer, NULL);
        json_put_string(writer, "budget", alert->budget->name);
        json_put_number(writer, "percent", alert->percent);
        json_put_string(writer, "kind", alert->is_forecast ? "forecast" : "actual");
        utc_date_print(alert->due_unix_s, date, sizeof date);
        json_put_string(writer, "reached", date);
        utc_date_print(alert->told_unix_s, date, sizeof date);
        json_put_string(writer, "told", date);
        json_put_number(writer, "spent_usd", alert->spent_usd);
        json_put_number(writer, "forecast_usd", alert->forecast_usd);
        json_end_object(writer);
    }
    json_end_list(writer);
}

static const char *const dimension_keys[LEDGER_DIMENSIONS] = {[LEDGER_BY_POOL] = "by_pool",
                                                              [LEDGER_BY_MODEL] = "by_model",
                                                              [LEDGER_BY_TENANT] = "by_tenant",
                                                              [LEDGER_BY_CLASS] = "by_class",
                                                              [LEDGER_BY_MARKET] = "by_market",
                                                              [LEDGER_BY_PURCHASE] = "by_purchase",
                                                              [LEDGER_BY_COMMITMENT] =
                                                                  "by_commitment"};

/* Hours are in ledger.csv: there may be thousands. */
static void put_bill(struct json_writer *writer, const struct money_summary *money)
{
    json_begin_object(writer, "money");
    json_put_string(writer, "price_book", money->book);
    put_kpis(writer, &money->kpis);
    for (int i = 0; i < LEDGER_DIMENSIONS; i++)
        if (dimension_keys[i])
            put_sums(writer, dimension_keys[i], &money->by[i]);
    put_showback(writer, "showback_by_tenant", &money->tenants);
    put_showback(writer, "showback_by_class", &money->classes);
    put_alerts(writer, &money->alerts);
    json_end_object(writer);
}

static void put_carbon(struct json_writer *writer, const struct energy *energy)
{
    json_begin_object(writer, "carbon");
    json_put_number(writer, "gpu_kwh", energy->gpu_kwh);
    json_put_number(writer, "computer_kwh", energy->computer_kwh);
    json_put_number(writer, "building_kwh", energy->building_kwh);
    json_put_number(writer, "operational_kg", energy->operational_kg);
    json_put_number(writer, "embodied_kg", energy->embodied_kg);
    json_end_object(writer);
}

void money_report_put(struct json_writer *writer, const struct summary *summary)
{
    const struct money_summary *money = summary->money;
    if (money && money->billed)
        put_bill(writer, money);
    if (money && money->energy)
        put_carbon(writer, &money->total);
}

/* --- the terminal --- */

static const char *const category_words[MONEY_CATEGORIES] = {[MONEY_USED] = "used",
                                                             [MONEY_IDLE] = "idle",
                                                             [MONEY_COLD_START] = "cold start",
                                                             [MONEY_WASTED] = "wasted",
                                                             [MONEY_UNUSED] = "unused"};

/* What would read "0.0 %" is left out. */
static void print_categories(const struct money_kpis *kpis, FILE *out)
{
    char text[HUMAN_SIZE];
    const char *before = ": ";
    for (int i = 0; i < MONEY_CATEGORIES; i++) {
        double share = kpis->usd > 0 ? kpis->usd_by_category[i] / kpis->usd : 0;
        if (share < 0.0005)
            continue;
        fprintf(out, "%s%s %s", before, human_percent(share, text), category_words[i]);
        before = ", ";
    }
}

static void print_bill(const struct money_summary *money, FILE *out)
{
    const struct money_kpis *kpis = &money->kpis;
    char a[HUMAN_SIZE], b[HUMAN_SIZE], c[HUMAN_SIZE];
    fprintf(out, "bill        %s by %s", human_usd(kpis->usd, a), money->book);
    print_categories(kpis, out);
    fprintf(out, "\n            %s per GPU-hour, %s per productive one; %s requests per dollar\n",
            human_usd(kpis->usd_per_gpu_hour, a), human_usd(kpis->usd_per_productive_gpu_hour, b),
            human_number(kpis->requests_per_usd, c));
}

/* The rows and what is kept apart add up to the bill. */
static void print_showback(const struct showback *tenants, FILE *out)
{
    char name[4 * NAME_COLUMNS + 1], count[HUMAN_SIZE];
    if (tenants->count < 2)
        return;
    fprintf(out, "\n%-*s %12s %12s %12s %12s\n", NAME_COLUMNS, "show-back", "requests", "own USD",
            "shared USD", "USD");
    for (size_t i = 0; i < tenants->count; i++) {
        const struct showback_row *row = &tenants->rows[i];
        int64_t total = row->direct_nano_usd + row->shared_nano_usd;
        if (row->requests == 0 && total == 0)
            continue;
        fprintf(out, "  ");
        human_put_left(out, human_name(row->label, NAME_COLUMNS - 2, name, sizeof name),
                       NAME_COLUMNS - 2);
        fprintf(out, " %12s %12.2f %12.2f %12.2f\n", human_count((uint64_t)row->requests, count),
                (double)row->direct_nano_usd * USD_PER_NANO,
                (double)row->shared_nano_usd * USD_PER_NANO, (double)total * USD_PER_NANO);
    }
    if (tenants->apart_nano_usd > 0)
        fprintf(out, "  %-*s %12s %12s %12s %12.2f\n", NAME_COLUMNS - 2, "kept apart", "", "", "",
                (double)tenants->apart_nano_usd * USD_PER_NANO);
}

static void print_carbon(const struct energy *energy, FILE *out)
{
    fprintf(out, "carbon      %.1f kg CO2e of %.1f kWh", energy->operational_kg,
            energy->building_kwh);
    if (energy->embodied_kg > 0)
        fprintf(out, ", and %.1f kg of making the machines", energy->embodied_kg);
    fprintf(out, "\n");
}

static void print_alerts(const struct budget_alerts *alerts, FILE *out)
{
    char date[32], usd[HUMAN_SIZE];
    for (size_t i = 0; i < alerts->count; i++) {
        const struct budget_alert *alert = &alerts->items[i];
        utc_date_print(alert->told_unix_s, date, sizeof date);
        fprintf(out, "alert       %s: %g %% of %s (%s) at %s\n", alert->budget->name,
                alert->percent, human_usd(alert->budget->usd, usd),
                alert->is_forecast ? "forecast" : "actual", date);
    }
}

void money_report_print(const struct summary *summary, FILE *out)
{
    const struct money_summary *money = summary->money;
    if (money && money->billed) {
        print_bill(money, out);
        print_alerts(&money->alerts, out);
    }
    if (money && money->energy)
        print_carbon(&money->total, out);
    if (money && money->billed)
        print_showback(&money->tenants, out);
}
