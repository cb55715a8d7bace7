#include "analysis/summary_csv.h"

#include <stdbool.h>

#include "analysis/csv.h"
#include "sim/json_writer.h"

enum { PATH_SIZE = 128 }; /* of keys this program chose itself */

struct csv_line {
    FILE *out;
    bool header; /* paths, not values */
    bool started;
};

static void put_cell(struct csv_line *line, const char *path, const cJSON *value)
{
    char number[32];
    if (line->started)
        fputc(',', line->out);
    line->started = true;
    if (line->header) {
        csv_put_text(line->out, path);
    } else if (cJSON_IsString(value)) {
        csv_put_text(line->out, value->valuestring);
    } else if (cJSON_IsBool(value)) {
        fputs(cJSON_IsTrue(value) ? "true" : "false", line->out);
    } else if (cJSON_IsNumber(value)) {
        json_format_number(value->valuedouble, number, sizeof number);
        fputs(number, line->out);
    }
}

static void put_cells(struct csv_line *line, const char *path, const cJSON *node)
{
    if (!cJSON_IsObject(node) && !cJSON_IsArray(node)) {
        put_cell(line, path, node);
        return;
    }
    const char *dot = path[0] ? "." : "";
    size_t index = 0;
    for (const cJSON *child = node->child; child; child = child->next, index++) {
        char child_path[PATH_SIZE];
        if (child->string)
            snprintf(child_path, sizeof child_path, "%s%s%s", path, dot, child->string);
        else
            snprintf(child_path, sizeof child_path, "%s%s%zu", path, dot, index);
        put_cells(line, child_path, child);
    }
}

void summary_csv_put(const cJSON *summary, FILE *out)
{
    struct csv_line header = {.out = out, .header = true};
    struct csv_line values = {.out = out};
    put_cells(&header, "", summary);
    fputc('\n', out);
    put_cells(&values, "", summary);
    fputc('\n', out);
}
