#include "models/engine/run.h"

fine_t run_time_paced(const struct engine_run *run, uint64_t iterations)
{
    return (fine_t)iterations * run->first + run->step * (fine_t)pace_sum(&run->pace, iterations);
}

void run_skip(struct engine_run *run, uint64_t iterations)
{
    run->iterations -= iterations;
    run->first += run->step * (fine_t)run_tokens(run, iterations);
    if (run_is_paced(run))
        run->pace = pace_after(&run->pace, iterations);
}

void run_record_gaps_paced(const struct engine_run *run, struct histogram *itl)
{
    histogram_add_paced(itl, run->first, run->step, &run->pace, run->iterations, run->decodes);
}

void run_record_later_gaps(const struct engine_run *run, struct histogram *itl)
{
    struct engine_run later = *run;
    run_skip(&later, 1);
    run_record_gaps(&later, itl);
}
