#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "sim/config.h"

enum { LENGTH_MAX = 64 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment: insertions, deletions, substitutions, swaps of neighbours. */
static unsigned edit_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > LENGTH_MAX || b_length > LENGTH_MAX)
        return UINT32_MAX;
    unsigned rows[3][LENGTH_MAX + 1]; /* row i of the usual matrix is rows[i % 3] */
    for (unsigned j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a_length; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= b_length; j++) {
            unsigned change = !same_letter(a[i - 1], b[j - 1]);
            row[j] = least(above[j - 1] + change, least(above[j], row[j - 1]) + 1);
            bool swapped = i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
                           same_letter(a[i - 2], b[j - 1]);
            if (swapped)
                row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

const char *config_nearest(const char *name, const char *const *names, size_t count)
{
    size_t length = strlen(name);
    unsigned limit = (unsigned)least((unsigned)length / 3 + 1, 4);
    unsigned best = limit + 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        unsigned distance = edit_distance(name, names[i]);
        if (length >= 3 && strncasecmp(name, names[i], length) == 0)
            distance = least(distance, 1); /* "H100" means H100-SXM before A10G */
        if (distance < best && distance < strlen(names[i])) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

void config_hint_names(struct error *error, const char *name, const char *const *names,
                       size_t count)
{
    const char *nearest = config_nearest(name, names, count);
    if (nearest) {
        error_hint(error, "did you mean \"%s\"?", nearest);
        return;
    }
    char all[sizeof error->hint] = "";
    size_t length = 0;
    for (size_t i = 0; i < count && length < sizeof all; i++)
        length +=
            (size_t)snprintf(all + length, sizeof all - length, "%s%s", i ? ", " : "", names[i]);
    error_hint(error, "possible here: %s", count ? all : "nothing");
}
