#include "analysis/transfer_report.h"

#include "analysis/human.h"
#include "analysis/table.h"

void transfer_summary_fill(struct transfer_summary *to, const struct simulation_result *result)
{
    const struct transfer_result *from = result->transfers;
    *to = (struct transfer_summary){.transfers = from->transfers,
                                    .local = from->local,
                                    .recomputed = from->recomputed,
                                    .lent = from->lent,
                                    .bytes = from->bytes,
                                    .memory_wait_s = quantiles_of(&from->memory_wait),
                                    .transfer_s = quantiles_of(&from->transfer),
                                    .link_wait_s = quantiles_of(&from->link_wait),
                                    .visible_s = quantiles_of(&from->visible)};
}

static void put_pool(struct json_writer *writer, const struct pool_spec *spec,
                     const struct pool_summary *pool)
{
    json_begin_object(writer, NULL);
    json_put_string(writer, "name", pool->name);
    json_put_string(writer, "role", pool_role_names[spec->role]);
    json_put_integer(writer, "handed_out", (int64_t)pool->handed_out);
    json_put_integer(writer, "handed_in", (int64_t)pool->handed_in);
    json_end_object(writer);
}

void transfer_report_put(struct json_writer *writer, const struct summary *summary)
{
    const struct transfer_summary *transfers = summary->transfers;
    if (!transfers)
        return;
    json_begin_object(writer, "disaggregation");
    json_put_integer(writer, "transfers", (int64_t)transfers->transfers);
    json_put_integer(writer, "prefilled_locally", (int64_t)transfers->local);
    json_put_integer(writer, "recomputed", (int64_t)transfers->recomputed);
    json_put_integer(writer, "machines_lent", (int64_t)transfers->lent);
    json_put_number(writer, "bytes", transfers->bytes);
    quantiles_put(writer, "memory_wait_s", &transfers->memory_wait_s);
    quantiles_put(writer, "transfer_s", &transfers->transfer_s);
    quantiles_put(writer, "link_wait_s", &transfers->link_wait_s);
    quantiles_put(writer, "visible_s", &transfers->visible_s);
    json_begin_list(writer, "pools");
    for (size_t i = 0; i < summary->facts.spec->pool_count; i++)
        put_pool(writer, &summary->facts.spec->pools[i], &summary->pools[i]);
    json_end_list(writer);
    json_end_object(writer);
}

void transfer_report_print(const struct summary *summary, FILE *out)
{
    const struct transfer_summary *transfers = summary->transfers;
    if (!transfers)
        return;
    char a[HUMAN_SIZE], b[HUMAN_SIZE], c[HUMAN_SIZE];
    fprintf(out, "\nKV caches   %s sent, %s GB in all; %s prompts computed where they decode",
            human_count(transfers->transfers, a), human_number(transfers->bytes / 1e9, b),
            human_count(transfers->local, c));
    if (transfers->recomputed > 0)
        fprintf(out, ", %s computed again", human_count(transfers->recomputed, a));
    if (transfers->lent > 0)
        fprintf(out, "; %s times a machine was lent", human_count(transfers->lent, a));
    fprintf(out, "\n");
    if (transfers->transfers == 0)
        return;
    table_print_latency("  wait for room", &transfers->memory_wait_s, out);
    table_print_latency("  transfer", &transfers->transfer_s, out);
    table_print_latency("  wait for links", &transfers->link_wait_s, out);
    table_print_latency("  prompt to here", &transfers->visible_s, out);
}
