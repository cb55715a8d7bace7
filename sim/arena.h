/* Memory that lives and dies together: what a scenario or a run needs for its whole life.
 *
 * Allocation is a pointer bump; there is no free of single blocks; arena_destroy frees all.
 * Running out of memory ends the process with a message (a catalogue or scenario is small; the
 * event loop allocates nothing), so results need no check. Not thread-safe: one arena per owner. */
#ifndef TOKENYARD_SIM_ARENA_H
#define TOKENYARD_SIM_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_create(void);
void arena_destroy(struct arena *arena); /* NULL is allowed */

/* Zeroed, aligned for any type. count * size must not overflow (checked). */
void *arena_alloc(struct arena *arena, size_t count, size_t size);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Ends the process with a message. For the small allocations outside an arena, too. */
_Noreturn void out_of_memory(void);

#define ARENA_NEW(arena, type)          ((type *)arena_alloc((arena), 1, sizeof(type)))
#define ARENA_ARRAY(arena, count, type) ((type *)arena_alloc((arena), (count), sizeof(type)))

#endif
