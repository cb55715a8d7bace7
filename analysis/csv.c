#include "analysis/csv.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "sim/json_writer.h"

static bool needs_quotes(const char *text)
{
    return strpbrk(text, ",\"\r\n") != NULL;
}

static void put_doubling_quotes(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
}

void csv_put_text(FILE *out, const char *text)
{
    const char *quote = needs_quotes(text) ? "\"" : "";
    fputs(quote, out);
    put_doubling_quotes(out, text);
    fputs(quote, out);
}

void csv_put_path(FILE *out, const char *scope, const char *name)
{
    const char *quote = needs_quotes(scope) || needs_quotes(name) ? "\"" : "";
    fputs(quote, out);
    put_doubling_quotes(out, scope);
    fputc('.', out);
    put_doubling_quotes(out, name);
    fputs(quote, out);
}

void csv_put_number(FILE *out, double value)
{
    char text[40] = "";
    if (!isnan(value))
        json_format_number(value, text, sizeof text);
    fprintf(out, ",%s", text);
}
