#include "analysis/progress.h"

#include <criterion/criterion.h>
#include <signal.h>

Test(progress, goes_on_until_a_signal_comes)
{
    struct progress progress;
    progress_begin(&progress, true);
    cr_assert(progress_proceed(&progress, 1, 1));
    raise(SIGINT);
    cr_assert_not(progress_proceed(&progress, 2, 2));
    progress_end(&progress);
    progress_begin(&progress, true);
    cr_assert(progress_proceed(&progress, 1, 1), "a new run starts afresh");
    raise(SIGTERM);
    cr_assert_not(progress_proceed(&progress, 2, 2));
    progress_end(&progress);
}

Test(progress, a_second_signal_is_meant, .signal = SIGINT)
{
    struct progress progress;
    progress_begin(&progress, true);
    raise(SIGINT);
    raise(SIGINT);
}

Test(progress, afterwards_signals_kill_again, .signal = SIGTERM)
{
    struct progress progress;
    progress_begin(&progress, true);
    progress_end(&progress);
    raise(SIGTERM);
}

Test(progress, clocks_run)
{
    double cpu_s = progress_cpu_s(), wall_s = progress_wall_s();
    for (volatile int i = 0; i < 1000000; i++)
        continue;
    cr_assert_gt(progress_cpu_s(), cpu_s);
    cr_assert_gt(progress_wall_s(), wall_s);
    cr_assert_gt(progress_peak_rss_bytes(), 1 << 20);
}
