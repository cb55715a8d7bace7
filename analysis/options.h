/* Command-line options of the subcommands, as a table.
 *
 * "--name value", "--name=value", "-n value"; "--" ends options; "--help" prints what the table
 * says. What is left are the words. The same table parses and documents. Values point into argv. */
#ifndef TOKENYARD_ANALYSIS_OPTIONS_H
#define TOKENYARD_ANALYSIS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "sim/arena.h"
#include "sim/error.h"

#define OPTION_TEXTS_MAX 256

enum option_kind {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char * */
    OPTION_NUMBER, /* double, finite */
    OPTION_TEXTS   /* struct option_texts; may be repeated */
};

struct option_texts {
    const char *items[OPTION_TEXTS_MAX];
    size_t count;
};

struct option {
    const char *name; /* "output", for --output; NULL ends a table */
    char letter;      /* 'o', for -o; 0: none */
    enum option_kind kind;
    void *value;          /* set when the option is given; keep the default in it */
    const char *argument; /* "DIR", for the help; NULL for flags */
    const char *doc;
};

struct command {
    const char *usage; /* "run SCENARIO [options]" */
    const char *doc;
    size_t words_min, words_max; /* at most OPTION_TEXTS_MAX */
    const struct option *options;
};

/* argv: the arguments after the subcommand. When "--help" is among them, it is printed on standard
 * output, nothing else is looked at, and *help is set: the command has nothing left to do. */
bool options_parse(const struct command *command, int argc, char *const argv[],
                   struct option_texts *words, bool *help, struct error *error);

/* The command line as it was typed, for manifests: argc + 2 words, the list in the arena. */
const char **options_command_line(struct arena *arena, const char *subcommand, int argc,
                                  char *const argv[]);

#endif
