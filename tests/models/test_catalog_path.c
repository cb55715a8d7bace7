#include "models/catalog_path.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support.h"

static struct arena *arena;
static struct error error;
static const char *root;

static void make_catalog(const char *folder)
{
    cr_assert_eq(system(arena_printf(arena, "mkdir -p %s && touch %s/gpus.json", folder, folder)),
                 0);
}

static void set_up(void)
{
    arena = arena_create();
    error = (struct error){0};
    root = test_folder();
}

static void tear_down(void)
{
    arena_destroy(arena);
}

TestSuite(catalog_path, .init = set_up, .fini = tear_down);

static const char *in_root(const char *relative)
{
    return arena_printf(arena, "%s/%s", root, relative);
}

static void assert_same_folder(const char *a, const char *b)
{
    struct stat of_a, of_b;
    cr_assert(a && stat(a, &of_a) == 0 && stat(b, &of_b) == 0);
    cr_assert_eq(of_a.st_ino, of_b.st_ino, "%s is not %s", a, b);
}

Test(catalog_path, environment_wins)
{
    make_catalog(in_root("mine"));
    make_catalog(in_root("models/catalog"));
    assert_same_folder(catalog_path_from(in_root("mine"), root, arena, &error), in_root("mine"));
}

Test(catalog_path, environment_that_is_wrong_is_an_error_and_not_ignored)
{
    make_catalog(in_root("models/catalog"));
    cr_assert_null(catalog_path_from(in_root("nowhere"), root, arena, &error));
    cr_assert(strstr(error.message, "nowhere"));
    cr_assert(strstr(error.hint, "TOKENYARD_CATALOG"));
}

Test(catalog_path, installed_before_build_tree)
{
    make_catalog(in_root("usr/share/tokenyard/catalog"));
    make_catalog(in_root("usr/bin/models/catalog"));
    make_catalog(in_root("usr/bin"));
    assert_same_folder(catalog_path_from(NULL, in_root("usr/bin"), arena, &error),
                       in_root("usr/share/tokenyard/catalog"));
}

Test(catalog_path, build_tree_up_to_four_parents)
{
    make_catalog(in_root("models/catalog"));
    make_catalog(in_root("a/b/c/d/e"));
    assert_same_folder(catalog_path_from("", in_root("a/b/c/d"), arena, &error),
                       in_root("models/catalog"));
    cr_assert_null(catalog_path_from(NULL, in_root("a/b/c/d/e"), arena, &error));
    cr_assert(strstr(error.message, "a/b/c/d/e/../../models/catalog"), "%s", error.message);
}

Test(catalog_path, running_program_finds_the_catalogue_of_its_tree)
{
    unsetenv("TOKENYARD_CATALOG");
    cr_assert(catalog_path(arena, &error), "%s", error.message);
}
