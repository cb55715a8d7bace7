#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/out_file.h"
#include "tests/support.h"

/* A fresh folder, and a name in it. Each test runs in a process of its own. */
static const char *folder;
static char path[128];
static char temporary[160];

static void name_files(void)
{
    folder = test_folder();
    snprintf(path, sizeof path, "%s/out.json", folder);
    out_file_temporary(path, temporary, sizeof temporary);
}

TestSuite(out_file, .init = name_files);

static bool exists(const char *name)
{
    struct stat status;
    return lstat(name, &status) == 0;
}

static void assert_content(const char *expected)
{
    char *text = test_read_file(path, NULL);
    cr_assert_str_eq(text, expected);
    free(text);
}

static void assert_refused(bool ok, const struct error *error, const char *name, const char *why)
{
    cr_assert_not(ok);
    cr_assert_eq(error->code, ERROR_FAILED);
    cr_assert_str_eq(error->file, name);
    cr_assert(strstr(error->message, why), "%s", error->message);
}

Test(out_file, appears_on_commit_only)
{
    struct error error = {0};
    struct out_file *file = out_file_open(path, &error);
    cr_assert_not_null(file);
    fputs("whole", out_file_stream(file));
    fflush(out_file_stream(file));
    cr_assert_not(exists(path));
    cr_assert(out_file_commit(file, &error));
    assert_content("whole");
    cr_assert_not(exists(temporary));
}

Test(out_file, discard_leaves_what_was_there)
{
    struct error error = {0};
    cr_assert(out_file_write(path, "old", 3, &error));
    struct out_file *file = out_file_open(path, &error);
    fputs("new", out_file_stream(file));
    out_file_discard(file);
    assert_content("old");
    cr_assert_not(exists(temporary));
    out_file_discard(NULL);
}

Test(out_file, write_replaces_a_file)
{
    struct error error = {0};
    cr_assert(out_file_write(path, "old and long", 12, &error));
    cr_assert(out_file_write(path, "new", 3, &error));
    assert_content("new");
}

/* The temporary name leads to /dev/full, where every write fails with ENOSPC. */
Test(out_file, a_full_disk_is_reported_and_leaves_nothing)
{
    struct error error = {0};
    if (symlink("/dev/full", temporary) != 0 || access("/dev/full", W_OK) != 0)
        cr_skip_test("no /dev/full here");
    bool ok = out_file_write(path, "text", 4, &error);
    assert_refused(ok, &error, path, strerror(ENOSPC));
    cr_assert_not(exists(path));
    cr_assert_not(exists(temporary));
}

/* The first writes fail long before the commit, and at the commit nothing is in the way. */
Test(out_file, a_write_that_failed_before_the_commit_is_reported)
{
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {1000, RLIM_INFINITY};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct error error = {0};
    struct out_file *file = out_file_open(path, &error);
    for (int i = 0; i < 100000; i++)
        fputc('x', out_file_stream(file));
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    bool ok = out_file_commit(file, &error);
    assert_refused(ok, &error, path, "cannot be written");
    cr_assert_not(exists(path));
    cr_assert_not(exists(temporary));
}

Test(out_file, a_path_that_cannot_be_is_refused)
{
    struct error error = {0};
    cr_assert(out_file_write(path, "x", 1, &error));
    char below[160];
    snprintf(below, sizeof below, "%s/summary.json", path);
    assert_refused(out_file_write(below, "x", 1, &error), &error, below, strerror(ENOTDIR));

    struct error missing = {0};
    snprintf(below, sizeof below, "%s/no/summary.json", folder);
    assert_refused(out_file_write(below, "x", 1, &missing), &missing, below, strerror(ENOENT));
}

Test(out_file, folders_and_devices_are_not_replaced)
{
    struct error on_folder = {0}, on_device = {0};
    assert_refused(out_file_write(folder, "x", 1, &on_folder), &on_folder, folder, "is a folder");
    assert_refused(out_file_write("/dev/null", "x", 1, &on_device), &on_device, "/dev/null",
                   "not a regular file");
}

Test(out_file, makes_all_folders_on_the_way)
{
    struct error error = {0};
    char deep[128];
    struct stat status;
    snprintf(deep, sizeof deep, "%s/a/b//c/", folder);
    cr_assert(out_folder_make(deep, &error), "%s", error.message);
    cr_assert(out_folder_make(deep, &error), "it is there already");
    cr_assert(stat(deep, &status) == 0 && S_ISDIR(status.st_mode));
}

Test(out_file, a_folder_below_a_file_is_refused)
{
    struct error error = {0}, same = {0};
    cr_assert(out_file_write(path, "x", 1, &error));
    char below[160];
    snprintf(below, sizeof below, "%s/a/b", path);
    assert_refused(out_folder_make(below, &error), &error, path, strerror(ENOTDIR));
    assert_refused(out_folder_make(path, &same), &same, path, strerror(ENOTDIR));
}

/* Each writes a file of its own; the later commit stays. */
Test(out_file, two_processes_write_the_same_file)
{
    struct error error = {0};
    struct out_file *file = out_file_open(path, &error);
    fputs("mine", out_file_stream(file));
    pid_t child = fork();
    if (child == 0) {
        struct error ignored = {0};
        _exit(out_file_write(path, "other", 5, &ignored) ? 0 : 1);
    }
    int status = -1;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    assert_content("other");
    cr_assert(out_file_commit(file, &error));
    assert_content("mine");
}
