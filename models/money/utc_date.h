/* Dates in UTC, as whole seconds since 1970-01-01: what prices, commitments and budgets go by. */
#ifndef TOKENYARD_MODELS_MONEY_UTC_DATE_H
#define TOKENYARD_MODELS_MONEY_UTC_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define S_PER_HOUR ((int64_t)3600)
#define S_PER_DAY  ((int64_t)86400)

/* "2025-06-01", "2025-06-01T12:30:00Z" or "2025-06-01 12:30:00+02:00", of the years 1970 to 2200
 * and to the second. */
bool utc_date_read(const char *text, int64_t *unix_s);

/* "2025-06-01T12:30:00Z"; size of at least 21. */
void utc_date_print(int64_t unix_s, char *text, size_t size);

/* Midnight of the day, and of the first day of the month, that hold the instant; and of the next
 * month. */
int64_t utc_day_start(int64_t unix_s);
int64_t utc_month_start(int64_t unix_s);
int64_t utc_next_month(int64_t unix_s);

#endif
