#include "analysis/client_report.h"

#include "analysis/human.h"

static void put_count(struct json_writer *writer, const char *key, uint64_t count)
{
    json_put_integer(writer, key, (int64_t)count);
}

static void put_class(struct json_writer *writer, const struct class_summary *class)
{
    json_begin_object(writer, NULL);
    json_put_string(writer, "name", class->name);
    put_count(writer, "timed_out", class->timed_out);
    put_count(writer, "stopped", class->stopped);
    json_end_object(writer);
}

static void put_pool(struct json_writer *writer, const struct pool_summary *pool)
{
    json_begin_object(writer, NULL);
    json_put_string(writer, "name", pool->name);
    put_count(writer, "cancelled_attempts", pool->cancelled);
    json_end_object(writer);
}

void client_report_put(struct json_writer *writer, const struct summary *summary)
{
    const struct client_result *clients = summary->clients;
    const struct simulation_spec *spec = summary->facts.spec;
    if (!clients)
        return;
    json_begin_object(writer, "clients");
    put_count(writer, "cancelled", summary->cancelled);
    put_count(writer, "timed_out", clients->timed_out);
    put_count(writer, "stopped", clients->stopped);
    put_count(writer, "shed", clients->shed);
    put_count(writer, "timeouts", clients->timeouts);
    put_count(writer, "retries", clients->retries);
    put_count(writer, "wasted_prompt_tokens", clients->wasted_prompt_tok);
    put_count(writer, "wasted_output_tokens", clients->wasted_output_tok);
    put_count(writer, "stopped_output_tokens", clients->stopped_output_tok);
    json_begin_list(writer, "classes");
    for (size_t i = 0; i < spec->class_count; i++)
        put_class(writer, &summary->classes[i]);
    json_end_list(writer);
    json_begin_list(writer, "pools");
    for (size_t i = 0; i < spec->pool_count; i++)
        put_pool(writer, &summary->pools[i]);
    json_end_list(writer);
    json_end_object(writer);
}

void client_report_print(const struct summary *summary, FILE *out)
{
    const struct client_result *clients = summary->clients;
    if (!clients)
        return;
    char a[HUMAN_SIZE], b[HUMAN_SIZE], c[HUMAN_SIZE], d[HUMAN_SIZE];
    fprintf(out,
            "clients     %s gave up, %s stopped reading; %s attempts timed out, %s were "
            "retries\n",
            human_count(clients->timed_out, a), human_count(clients->stopped, b),
            human_count(clients->timeouts, c), human_count(clients->retries, d));
    fprintf(out, "            %s prompt and %s output tokens were wasted",
            human_count(clients->wasted_prompt_tok, a), human_count(clients->wasted_output_tok, b));
    if (clients->shed)
        fprintf(out, "; %s requests were dropped in queues", human_count(clients->shed, c));
    fprintf(out, "\n");
}
