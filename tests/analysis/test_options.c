#include "analysis/options.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct parsed {
    bool flag;
    const char *text;
    double number;
    struct option_texts texts, words;
    bool help;
    struct error error;
};

#define ARGUMENTS_MAX 8

/* Parses space-separated arguments for a command of one or two words. */
static bool parse(const char *line, struct parsed *parsed)
{
    *parsed = (struct parsed){.number = NAN};
    const struct option table[] = {{"flag", 'f', OPTION_FLAG, &parsed->flag, NULL, "a flag"},
                                   {"text", 't', OPTION_TEXT, &parsed->text, "TEXT", "a text"},
                                   {"number", 0, OPTION_NUMBER, &parsed->number, "N", "a number"},
                                   {"set", 's', OPTION_TEXTS, &parsed->texts, "A=V", "texts"},
                                   {0}};
    const struct command command = {.usage = "try WORD [WORD]",
                                    .doc = "Tries.",
                                    .words_min = 1,
                                    .words_max = 2,
                                    .options = table};
    static char buffer[256];
    char *argv[ARGUMENTS_MAX];
    int argc = 0;
    snprintf(buffer, sizeof buffer, "%s", line);
    for (char *word = strtok(buffer, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    return options_parse(&command, argc, argv, &parsed->words, &parsed->help, &parsed->error);
}

Test(options, every_way_to_write_them)
{
    struct parsed parsed;
    cr_assert(parse("-f word --text=a=b --number 1.5", &parsed));
    cr_assert(parsed.flag);
    cr_assert_str_eq(parsed.text, "a=b");
    cr_assert_eq(parsed.number, 1.5);
    cr_assert_str_eq(parsed.words.items[0], "word");
    cr_assert(parse("-tx word -t y", &parsed));
    cr_assert_str_eq(parsed.text, "y", "the last one counts");
    cr_assert(parse("--set a=1 word -s b=2", &parsed));
    cr_assert_eq(parsed.texts.count, 2);
    cr_assert_str_eq(parsed.texts.items[1], "b=2");
}

Test(options, two_dashes_end_them)
{
    struct parsed parsed;
    cr_assert(parse("-- --flag -", &parsed));
    cr_assert_not(parsed.flag);
    cr_assert_eq(parsed.words.count, 2);
    cr_assert_str_eq(parsed.words.items[0], "--flag");
    cr_assert_str_eq(parsed.words.items[1], "-");
}

Test(options, help_wins_over_mistakes)
{
    struct parsed parsed;
    cr_redirect_stdout();
    cr_assert(parse("--nonsense --help", &parsed));
    cr_assert(parsed.help);
    cr_assert(parse("word -- --help", &parsed));
    cr_assert_not(parsed.help);
}

Test(options, mistakes_are_named)
{
    static const struct {
        const char *line, *message, *hint;
    } cases[] = {
        {"word --flog", "unknown option --flog", "--flag"},
        {"word -x", "unknown option -x", "usage"},
        {"word --text", "--text wants a value", ""},
        {"word --flag=1", "--flag takes no value", ""},
        {"word --number 1x", "--number takes a number", ""},
        {"word --number inf", "--number takes a number", ""},
        {"", "something is missing", "usage: tokenyard try"},
        {"a b c", "\"c\"", "usage: tokenyard try"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parsed parsed;
        cr_assert_not(parse(cases[i].line, &parsed), "%s", cases[i].line);
        cr_expect_eq(parsed.error.code, ERROR_USAGE);
        cr_expect(strstr(parsed.error.message, cases[i].message), "%s: %s", cases[i].line,
                  parsed.error.message);
        cr_expect(strstr(parsed.error.hint, cases[i].hint), "%s: %s", cases[i].line,
                  parsed.error.hint);
    }
}

Test(options, help_shows_the_table)
{
    struct parsed parsed;
    cr_redirect_stdout();
    cr_assert(parse("--help", &parsed));
    fflush(stdout);
    cr_assert_stdout_eq_str("usage: tokenyard try WORD [WORD]\n"
                            "\n"
                            "Tries.\n"
                            "\n"
                            "  -f, --flag                   a flag\n"
                            "  -t, --text TEXT              a text\n"
                            "      --number N               a number\n"
                            "  -s, --set A=V                texts\n");
}
