#include "models/money/utc_date.h"

#include <stdio.h>

#include "workloads/number_text.h"

#define NS_PER_S 1000000000

bool utc_date_read(const char *text, int64_t *unix_s)
{
    char padded[32];
    if (strlen(text) == strlen("2025-06-01")) {
        snprintf(padded, sizeof padded, "%sT00:00:00Z", text);
        text = padded;
    }
    int64_t ns;
    if (number_from_date((struct text){text, strlen(text)}, &ns) != NUMBER_OK || ns % NS_PER_S != 0)
        return false;
    *unix_s = ns / NS_PER_S;
    return true;
}

static int64_t whole_days(int64_t unix_s)
{
    return (unix_s - (unix_s < 0 ? S_PER_DAY - 1 : 0)) / S_PER_DAY;
}

void utc_date_print(int64_t unix_s, char *text, size_t size)
{
    int year, month, day;
    int64_t days = whole_days(unix_s);
    int second = (int)(unix_s - days * S_PER_DAY);
    number_date_of_day(days, &year, &month, &day);
    snprintf(text, size, "%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, day, second / 3600,
             second / 60 % 60, second % 60);
}

int64_t utc_day_start(int64_t unix_s)
{
    return whole_days(unix_s) * S_PER_DAY;
}

int64_t utc_month_start(int64_t unix_s)
{
    int year, month, day;
    number_date_of_day(whole_days(unix_s), &year, &month, &day);
    return utc_day_start(unix_s) - (day - 1) * S_PER_DAY;
}

int64_t utc_next_month(int64_t unix_s)
{
    return utc_month_start(utc_month_start(unix_s) + 31 * S_PER_DAY);
}
