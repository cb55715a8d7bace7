/* Dates in UTC. */
#include "models/money/utc_date.h"

#include <criterion/criterion.h>

static int64_t unix_of(const char *text)
{
    int64_t unix_s;
    cr_assert(utc_date_read(text, &unix_s), "%s", text);
    return unix_s;
}

Test(utc_date, days_and_instants_are_read)
{
    cr_expect_eq(unix_of("1970-01-02"), 86400);
    cr_expect_eq(unix_of("2025-06-01"), 1748736000);
    cr_expect_eq(unix_of("2025-06-01T12:30:00Z"), 1748736000 + 45000);
    cr_expect_eq(unix_of("2025-06-01 02:00:00+02:00"), 1748736000);
    static const char *const bad[] = {
        "", "June", "2025-02-30", "2025-06-01T12", "2025-13-01", "2025-06-01T12:30:00.5Z"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_not(utc_date_read(bad[i], &(int64_t){0}), "%s", bad[i]);
}

Test(utc_date, what_is_printed_reads_back)
{
    static const int64_t instants[] = {0, 86399, 951782400 /* 2000-02-29 */, 1748736001};
    for (size_t i = 0; i < sizeof instants / sizeof *instants; i++) {
        char text[32];
        utc_date_print(instants[i], text, sizeof text);
        cr_expect_eq(unix_of(text), instants[i], "%s", text);
    }
}

Test(utc_date, days_and_months_begin_at_midnight)
{
    cr_expect_eq(utc_day_start(unix_of("2024-02-29T23:59:59Z")), unix_of("2024-02-29"));
    cr_expect_eq(utc_month_start(unix_of("2024-02-29T23:59:59Z")), unix_of("2024-02-01"));
    cr_expect_eq(utc_next_month(unix_of("2024-02-29")), unix_of("2024-03-01"));
    cr_expect_eq(utc_next_month(unix_of("2025-12-01")), unix_of("2026-01-01"));
    cr_expect_eq(utc_next_month(unix_of("2025-01-31T01:00:00Z")), unix_of("2025-02-01"));
}
