#include "analysis/workers.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static size_t thread_count(const struct workers *workers)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t threads = workers->threads > 0 ? workers->threads : cores > 0 ? (size_t)cores : 1;
    return threads < workers->jobs ? threads : workers->jobs;
}

static void *work(void *context)
{
    struct workers *workers = context;
    size_t job;
    while ((job = atomic_fetch_add(&workers->next, 1)) < workers->jobs &&
           !atomic_load(&workers->stop))
        workers->job(workers, job);
    return NULL;
}

static void watch(struct workers *workers)
{
    const struct timespec tenth = {.tv_nsec = 100000000}, brief = {.tv_nsec = 1000000};
    for (int round = 0;
         atomic_load(&workers->done) < workers->total && !atomic_load(&workers->stop); round++) {
        if (workers->proceed && !workers->proceed(workers->proceed_context,
                                                  atomic_load(&workers->done), workers->total)) {
            atomic_store(&workers->stop, true);
            return;
        }
        nanosleep(round < 100 ? &brief : &tenth, NULL);
    }
}

bool workers_run(struct workers *workers, struct error *error)
{
    size_t wanted = thread_count(workers), started = 0;
    pthread_t *threads = malloc((wanted + 1) * sizeof *threads);
    while (threads && started < wanted &&
           pthread_create(&threads[started], NULL, work, workers) == 0)
        started++;
    if (started > 0)
        watch(workers);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    return started > 0 || wanted == 0 || error_set(error, ERROR_FAILED, "cannot start a thread");
}
