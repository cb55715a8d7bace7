#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/out_file.h"
#include "workloads/number_text.h"
#include "workloads/trace_format.h"

enum { NS_PER_S = 1000000000, S_PER_DAY = 86400 };

struct trace_writer {
    struct out_file *file;
    struct out_file *header; /* BLIS: the YAML file beside the rows; NULL otherwise */
    const struct trace_layout *layout;
    uint64_t rows;
};

/* "x.csv", "x.yaml" or "x" -> "x" + extension. The caller frees. */
static char *with_extension(const char *path, const char *extension)
{
    size_t stem = strlen(path);
    if (text_ends_with(path, ".yaml"))
        stem -= strlen(".yaml");
    else if (text_ends_with(path, ".csv"))
        stem -= strlen(".csv");
    char *result = malloc(stem + strlen(extension) + 1);
    if (result) {
        memcpy(result, path, stem);
        strcpy(result + stem, extension);
    }
    return result;
}

static struct out_file *open_beside(const char *path, const char *extension, struct error *error)
{
    char *beside = with_extension(path, extension);
    if (!beside) {
        error_set(error, ERROR_FAILED, "out of memory");
        return NULL;
    }
    struct out_file *file = out_file_open(beside, error);
    free(beside);
    return file;
}

static bool open_blis(struct trace_writer *writer, const char *path, struct error *error)
{
    writer->header = open_beside(path, ".yaml", error);
    writer->file = writer->header ? open_beside(path, ".csv", error) : NULL;
    if (!writer->file)
        return false;
    fputs("trace_version: 3\ntime_unit: microseconds\nmode: generated\nwarm_up_requests: 0\n",
          out_file_stream(writer->header));
    return true;
}

static bool open_files(struct trace_writer *writer, const char *path, enum trace_format format,
                       struct error *error)
{
    if (format == TRACE_BLIS)
        return open_blis(writer, path, error);
    writer->file = out_file_open(path, error);
    return writer->file != NULL;
}

struct trace_writer *trace_writer_open(const char *path, enum trace_format format,
                                       struct error *error)
{
    if (text_ends_with(path, ".gz")) {
        error_at(error, ERROR_BAD_INPUT, path, 0, NULL, "traces are written uncompressed");
        error_hint(error, "leave out .gz and run gzip on the file; gzip files can be read");
        return NULL;
    }
    struct trace_writer *writer = calloc(1, sizeof *writer);
    if (!writer) {
        error_set(error, ERROR_FAILED, "out of memory");
        return NULL;
    }
    writer->layout = trace_layout(format);
    if (!open_files(writer, path, format, error)) {
        trace_writer_discard(writer);
        return NULL;
    }
    if (writer->layout->header)
        fprintf(out_file_stream(writer->file), "%s\n", writer->layout->header);
    return writer;
}

/* Time 0 is written as 1970-01-01: no trace of ours took place on a day. */
static void put_date(FILE *stream, int64_t ns)
{
    int year, month, day;
    int64_t seconds = ns / NS_PER_S;
    int second_of_day = (int)(seconds % S_PER_DAY);
    number_date_of_day(seconds / S_PER_DAY, &year, &month, &day);
    fprintf(stream, "%04d-%02d-%02d %02d:%02d:%02d.%07d", year, month, day, second_of_day / 3600,
            second_of_day / 60 % 60, second_of_day % 60, (int)(ns % NS_PER_S / 100));
}

/* ns / 10^decimals, without trailing zeros. */
static void put_decimal(FILE *stream, int64_t ns, int decimals)
{
    int64_t unit = 1;
    for (int i = 0; i < decimals; i++)
        unit *= 10;
    fprintf(stream, "%" PRId64, ns / unit);
    int64_t fraction = ns % unit;
    if (fraction == 0)
        return;
    while (fraction % 10 == 0) {
        fraction /= 10;
        decimals--;
    }
    fprintf(stream, ".%0*" PRId64, decimals, fraction);
}

static void put_time(const struct trace_writer *writer, FILE *stream, double time_s)
{
    static const int decimals[] = {[CLOCK_SECONDS] = 9,
                                   [CLOCK_MILLISECONDS] = 6,
                                   [CLOCK_MICROSECONDS] = 3,
                                   [CLOCK_NANOSECONDS] = 0};
    int64_t resolution_ns = writer->layout->resolution_ns;
    int64_t ns = llround(time_s * NS_PER_S);
    ns = (ns + resolution_ns / 2) / resolution_ns * resolution_ns;
    if (writer->layout->clock == CLOCK_DATE)
        put_date(stream, ns);
    else
        put_decimal(stream, ns, decimals[writer->layout->clock]);
}

static void put_hash_ids(FILE *stream, const struct arrival *arrival)
{
    if (arrival->blocks == 0)
        return;
    fputs(", \"hash_ids\": [", stream);
    for (uint32_t i = 0; i < arrival->blocks; i++)
        fprintf(stream, "%s%" PRIu64, i > 0 ? ", " : "", arrival->hash_ids[i]);
    fputc(']', stream);
}

/* A request of no session is a session of its own, named after its row. */
static void put_session(const struct trace_writer *writer, FILE *stream,
                        const struct arrival *arrival)
{
    if (arrival->session == ARRIVAL_NO_ID)
        fprintf(stream, "r%" PRIu64, writer->rows);
    else
        fprintf(stream, "s%" PRIu32, arrival->session);
}

/* One place of a layout's row template. */
static void put_place(const struct trace_writer *writer, FILE *stream, char place,
                      const struct arrival *arrival)
{
    switch (place) {
    case 't':
        put_time(writer, stream, arrival->time_s);
        break;
    case 'p':
        fprintf(stream, "%" PRIu32, arrival->prompt_tok);
        break;
    case 'o':
        fprintf(stream, "%" PRIu32, arrival->output_tok);
        break;
    case '+':
        fprintf(stream, "%" PRIu64, (uint64_t)arrival->prompt_tok + arrival->output_tok);
        break;
    case 'n':
        fprintf(stream, "%" PRIu64, writer->rows);
        break;
    case 's':
        put_session(writer, stream, arrival);
        break;
    case 'h':
        put_hash_ids(stream, arrival);
        break;
    default:
        assert(false); /* no such place in a row template */
    }
}

static bool check_blocks(const struct trace_writer *writer, const struct arrival *arrival,
                         struct error *error)
{
    const struct trace_layout *layout = writer->layout;
    if (arrival->blocks == 0 || layout->block_tok == 0 || layout->block_tok == arrival->block_tok)
        return true;
    error_set(error, ERROR_BAD_INPUT,
              "hash_ids of %" PRIu32 "-token blocks cannot be written as %s, whose blocks have "
              "%" PRIu32 " tokens",
              arrival->block_tok, layout->name, layout->block_tok);
    return error_hint(error, "16 tokens: timed_trace, bailian; 512 tokens: mooncake, aiperf");
}

bool trace_writer_put(struct trace_writer *writer, const struct arrival *arrival,
                      struct error *error)
{
    if (!check_blocks(writer, arrival, error))
        return false;
    FILE *stream = out_file_stream(writer->file);
    for (const char *at = writer->layout->row; *at; at++) {
        if (*at == '@')
            put_place(writer, stream, *++at, arrival);
        else
            fputc(*at, stream);
    }
    fputc('\n', stream);
    writer->rows++;
    return true;
}

bool trace_writer_close(struct trace_writer *writer, struct error *error)
{
    bool ok = out_file_commit(writer->file, error);
    if (writer->header && ok)
        ok = out_file_commit(writer->header, error);
    else
        out_file_discard(writer->header);
    free(writer);
    return ok;
}

void trace_writer_discard(struct trace_writer *writer)
{
    if (!writer)
        return;
    out_file_discard(writer->file);
    out_file_discard(writer->header);
    free(writer);
}
