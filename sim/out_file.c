#include "sim/out_file.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/arena.h"

struct out_file {
    struct arena *arena; /* the names */
    const char *path;
    const char *temporary;
    FILE *stream;
};

static bool refuse(const char *path, int cause, const char *what, struct error *error)
{
    return error_at(error, ERROR_FAILED, path, 0, NULL, "%s: %s", what, strerror(cause));
}

void out_file_temporary(const char *path, char *name, size_t size)
{
    snprintf(name, size, "%s.%ld.tmp", path, (long)getpid());
}

/* Renaming over a device or a pipe would replace it. */
static bool is_replaceable(const char *path, struct error *error)
{
    struct stat status;
    if (stat(path, &status) != 0 || S_ISREG(status.st_mode))
        return true;
    return error_at(error, ERROR_FAILED, path, 0, NULL, "is there already, and is %s",
                    S_ISDIR(status.st_mode) ? "a folder" : "not a regular file");
}

struct out_file *out_file_open(const char *path, struct error *error)
{
    if (!is_replaceable(path, error))
        return NULL;
    struct out_file *file = calloc(1, sizeof *file);
    if (!file)
        out_of_memory();
    file->arena = arena_create();
    file->path = arena_strdup(file->arena, path);
    char temporary[PATH_MAX + 32];
    out_file_temporary(path, temporary, sizeof temporary);
    file->temporary = arena_strdup(file->arena, temporary);
    file->stream = fopen(file->temporary, "wb");
    if (file->stream)
        return file;
    refuse(path, errno, "cannot be created", error);
    arena_destroy(file->arena);
    free(file);
    return NULL;
}

FILE *out_file_stream(struct out_file *file)
{
    return file->stream;
}

static void release(struct out_file *file)
{
    arena_destroy(file->arena);
    free(file);
}

/* An earlier write that failed has lost its errno; closing mostly fails for the same cause. */
static bool close_checked(struct out_file *file, struct error *error)
{
    bool written = !ferror(file->stream);
    errno = 0;
    bool closed = fclose(file->stream) == 0;
    if (written && closed)
        return true;
    return refuse(file->path, errno ? errno : EIO, "cannot be written", error);
}

bool out_file_commit(struct out_file *file, struct error *error)
{
    bool ok = close_checked(file, error);
    if (ok && rename(file->temporary, file->path) != 0)
        ok = refuse(file->path, errno, "cannot be put in place", error);
    if (!ok)
        unlink(file->temporary);
    release(file);
    return ok;
}

void out_file_discard(struct out_file *file)
{
    if (!file)
        return;
    fclose(file->stream);
    unlink(file->temporary);
    release(file);
}

bool out_file_write(const char *path, const void *text, size_t length, struct error *error)
{
    struct out_file *file = out_file_open(path, error);
    if (!file)
        return false;
    if (fwrite(text, 1, length, file->stream) == length)
        return out_file_commit(file, error);
    refuse(file->path, errno, "cannot be written", error);
    out_file_discard(file);
    return false;
}

static bool make_one(const char *path, struct error *error)
{
    struct stat status;
    if (mkdir(path, 0777) == 0)
        return true;
    int cause = errno;
    if (cause == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return true;
    return refuse(path, cause == EEXIST ? ENOTDIR : cause, "the folder cannot be made", error);
}

bool out_folder_make(const char *path, struct error *error)
{
    char *part = strdup(path);
    if (!part)
        out_of_memory();
    bool ok = true;
    for (char *slash = strchr(part + (*part == '/'), '/'); ok && slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        ok = make_one(part, error);
        *slash = '/';
    }
    ok = ok && make_one(part, error);
    free(part);
    return ok;
}
