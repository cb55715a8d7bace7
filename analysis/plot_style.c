#include "analysis/human.h"
#include "analysis/plot.h"

enum { TEXT_COLUMNS_MAX = 80 };

/* Okabe and Ito, "Color Universal Design", 2008, without its yellow, which white swallows. */
const char *plot_colour(size_t series)
{
    static const char *const colours[] = {"#0072B2", "#D55E00", "#009E73", "#E69F00",
                                          "#CC79A7", "#56B4E9", "#777777"};
    return colours[series % (sizeof colours / sizeof colours[0])];
}

void plot_put_text(const char *text, size_t columns, FILE *out)
{
    char clean[4 * TEXT_COLUMNS_MAX + 1];
    human_name(text, columns < TEXT_COLUMNS_MAX ? columns : TEXT_COLUMNS_MAX, clean, sizeof clean);
    fputc('\'', out);
    for (const char *from = clean; *from; from++) {
        if (*from == '\'')
            fputc('\'', out);
        fputc(*from, out);
    }
    fputc('\'', out);
}

void plot_put_head(const struct plot *plot, FILE *out)
{
    fprintf(out, "# %s. Draw it again: gnuplot %s.gp\n", plot->title, plot->name);
    fputs("reset\n"
          "if (!exists('suffix')) suffix = ''\n"
          "set encoding utf8\n"
          "set terminal svg size 800,500 noenhanced background '#ffffff' font 'sans-serif,14'\n",
          out);
    fprintf(out, "set output '%s.svg'.suffix\n", plot->name);
    fputs("set border 3 linecolor '#888888'\n"
          "set tics nomirror out scale 0.5 textcolor '#333333'\n"
          "set grid linetype 1 linecolor '#e4e4e4' linewidth 1\n"
          "set key noautotitle Left reverse textcolor '#333333' samplen 1.5 font ',12'\n"
          "set style data lines\n",
          out);
}

void plot_put_title(const struct plot *plot, const struct plot_input *input, FILE *out)
{
    enum { TITLE_SIZE = 512 };
    char title[TITLE_SIZE];
    snprintf(title, sizeof title, "%s: %.400s", plot->title, input->summary->facts.scenario);
    plot_put_text(title, TEXT_COLUMNS_MAX, out);
    fputs(" font ',16'", out);
}

void plot_put_omitted(size_t omitted, FILE *out)
{
    if (omitted == 0)
        fputs("  NaN notitle\n", out);
    else
        fprintf(out, "  NaN linecolor '#ffffff' title '(%zu more)'\n", omitted);
}
