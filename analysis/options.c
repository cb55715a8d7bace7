#include "analysis/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/config.h"

struct cursor {
    int argc;
    char *const *argv;
    int at; /* the argument that is being read */
};

static const struct option *find_letter(const struct command *command, char letter)
{
    for (const struct option *each = command->options; each->name; each++)
        if (each->letter == letter)
            return each;
    return NULL;
}

static const struct option *find_name(const struct command *command, const char *name,
                                      size_t length)
{
    for (const struct option *each = command->options; each->name; each++)
        if (strlen(each->name) == length && strncmp(each->name, name, length) == 0)
            return each;
    return NULL;
}

static bool unknown_option(const struct command *command, const char *given, struct error *error)
{
    const char *names[64];
    size_t count = 0;
    for (const struct option *each = command->options; each->name && count < 64; each++)
        names[count++] = each->name;
    error_set(error, ERROR_USAGE, "unknown option %s", given);
    const char *nearest = config_nearest(given + strspn(given, "-"), names, count);
    if (nearest)
        return error_hint(error, "did you mean --%s?", nearest);
    return error_hint(error, "usage: tokenyard %s", command->usage);
}

static bool read_number(const struct option *option, const char *text, struct error *error)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(number))
        return error_set(error, ERROR_USAGE, "--%s takes a number, not \"%s\"", option->name, text);
    *(double *)option->value = number;
    return true;
}

static bool take_value(const struct option *option, const char *text, struct error *error)
{
    if (option->kind == OPTION_NUMBER)
        return read_number(option, text, error);
    if (option->kind == OPTION_TEXT) {
        *(const char **)option->value = text;
        return true;
    }
    struct option_texts *texts = option->value;
    if (texts->count == OPTION_TEXTS_MAX)
        return error_set(error, ERROR_USAGE, "--%s is given more than %d times", option->name,
                         OPTION_TEXTS_MAX);
    texts->items[texts->count++] = text;
    return true;
}

/* attached: what stood behind "=" (or behind the letter), or NULL. */
static bool take_option(const struct option *option, const char *attached, struct cursor *cursor,
                        struct error *error)
{
    if (option->kind == OPTION_FLAG) {
        if (attached)
            return error_set(error, ERROR_USAGE, "--%s takes no value", option->name);
        *(bool *)option->value = true;
        return true;
    }
    if (attached)
        return take_value(option, attached, error);
    if (cursor->at + 1 >= cursor->argc)
        return error_set(error, ERROR_USAGE, "--%s wants a value: --%s %s", option->name,
                         option->name, option->argument);
    return take_value(option, cursor->argv[++cursor->at], error);
}

static bool take_argument(const struct command *command, struct cursor *cursor, struct error *error)
{
    const char *given = cursor->argv[cursor->at];
    const struct option *option;
    const char *attached = NULL;
    if (given[1] == '-') {
        const char *equals = strchr(given, '=');
        option = find_name(command, given + 2,
                           equals ? (size_t)(equals - given - 2) : strlen(given + 2));
        attached = equals ? equals + 1 : NULL;
    } else {
        option = find_letter(command, given[1]);
        attached = given[2] ? given + 2 : NULL;
    }
    if (!option)
        return unknown_option(command, given, error);
    return take_option(option, attached, cursor, error);
}

static bool wants_help(int argc, char *const argv[])
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static void print_help(const struct command *command)
{
    printf("usage: tokenyard %s\n\n%s\n\n", command->usage, command->doc);
    for (const struct option *each = command->options; each->name; each++) {
        char left[64];
        char letter[8] = "    ";
        if (each->letter)
            snprintf(letter, sizeof letter, "-%c, ", each->letter);
        snprintf(left, sizeof left, "%s--%s %s", letter, each->name,
                 each->argument ? each->argument : "");
        printf("  %-28s %s\n", left, each->doc);
    }
}

bool options_parse(const struct command *command, int argc, char *const argv[],
                   struct option_texts *words, bool *help, struct error *error)
{
    words->count = 0;
    *help = wants_help(argc, argv);
    if (*help) {
        print_help(command);
        return true;
    }
    struct cursor cursor = {.argc = argc, .argv = argv};
    bool options_ended = false;
    for (; cursor.at < argc; cursor.at++) {
        const char *given = argv[cursor.at];
        bool is_option = !options_ended && given[0] == '-' && given[1] != '\0';
        if (is_option && strcmp(given, "--") == 0)
            options_ended = true;
        else if (is_option && !take_argument(command, &cursor, error))
            return false;
        else if (!is_option && words->count < OPTION_TEXTS_MAX)
            words->items[words->count++] = given;
    }
    if (words->count >= command->words_min && words->count <= command->words_max)
        return true;
    if (words->count < command->words_min)
        error_set(error, ERROR_USAGE, "something is missing on the command line");
    else
        error_set(error, ERROR_USAGE, "do not know what to do with \"%s\"",
                  words->items[words->count - 1]);
    return error_hint(error, "usage: tokenyard %s", command->usage);
}

const char **options_command_line(struct arena *arena, const char *subcommand, int argc,
                                  char *const argv[])
{
    const char **words = ARENA_ARRAY(arena, (size_t)argc + 2, const char *);
    words[0] = "tokenyard";
    words[1] = subcommand;
    memcpy(words + 2, argv, (size_t)argc * sizeof *argv);
    return words;
}
