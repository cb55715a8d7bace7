#include "analysis/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/arena.h"
#include "sim/out_file.h"

extern char **environ;

/* argv: --default-settings, so that a user's .gnuplot changes nothing. */
static char **arguments(struct arena *arena, const char *const *names, size_t count)
{
    enum { FIXED = 4 };
    char **argv = ARENA_ARRAY(arena, FIXED + count + 1, char *);
    char suffix[32];
    out_file_temporary("", suffix, sizeof suffix);
    argv[0] = arena_strdup(arena, "gnuplot");
    argv[1] = arena_strdup(arena, "--default-settings");
    argv[2] = arena_strdup(arena, "-e");
    argv[3] = arena_printf(arena, "suffix = '%s'", suffix);
    for (size_t i = 0; i < count; i++)
        argv[FIXED + i] = arena_printf(arena, "%s.gp", names[i]);
    return argv;
}

/* Starts gnuplot in the folder, silent but for messages on `messages`. Returns an errno. */
static int start(const char *folder, char **argv, int messages, pid_t *child)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, folder);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, messages, STDERR_FILENO);
    int cause = posix_spawnp(child, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return cause;
}

static bool wait_for(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The line of gnuplot's messages that says what is wrong comes last. */
static void explain(FILE *messages, char *why, size_t why_size)
{
    char line[256], last[256] = "no message";
    rewind(messages);
    while (fgets(line, sizeof line, messages)) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0])
            strcpy(last, line);
    }
    snprintf(why, why_size, "gnuplot failed: %s", last);
}

static bool run(const char *folder, char **argv, char *why, size_t why_size)
{
    FILE *messages = tmpfile();
    if (!messages) {
        snprintf(why, why_size, "gnuplot could not be run: %s", strerror(errno));
        return false;
    }
    pid_t child;
    int cause = start(folder, argv, fileno(messages), &child);
    bool ok = cause == 0 && wait_for(child);
    if (cause == ENOENT)
        snprintf(why, why_size, "gnuplot is not installed");
    else if (cause != 0)
        snprintf(why, why_size, "gnuplot could not be run: %s", strerror(cause));
    else if (!ok)
        explain(messages, why, why_size);
    fclose(messages);
    return ok;
}

/* gnuplot does not notice a full disk; a picture that was cut lacks its end. */
static bool is_whole(const char *path)
{
    char tail[32] = "";
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    if (fseek(file, -16, SEEK_END) == 0)
        tail[fread(tail, 1, sizeof tail - 1, file)] = '\0';
    fclose(file);
    return strstr(tail, "</svg>") != NULL;
}

/* Puts a drawn picture in place, or removes what there is of it. */
static bool place(struct arena *arena, const char *folder, const char *name)
{
    const char *path = arena_printf(arena, "%s/%s.svg", folder, name);
    char drawn[PATH_MAX + 32];
    out_file_temporary(path, drawn, sizeof drawn);
    if (is_whole(drawn) && rename(drawn, path) == 0)
        return true;
    unlink(drawn);
    return false;
}

bool gnuplot_draw(const char *folder, const char *const *names, size_t count, char *why,
                  size_t why_size)
{
    struct arena *arena = arena_create();
    bool ok = run(folder, arguments(arena, names, count), why, why_size);
    for (size_t i = 0; i < count; i++) {
        if (place(arena, folder, names[i]) || !ok)
            continue;
        snprintf(why, why_size, "%s.svg could not be written whole", names[i]);
        ok = false;
    }
    arena_destroy(arena);
    return ok;
}
