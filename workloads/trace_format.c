#include "workloads/trace_format.h"

#include <assert.h>
#include <stdio.h>

/* Sources of the layouts:
 * azure         github.com/Azure/AzurePublicDataset, LLM inference traces of 2023 and 2024
 * vidur         github.com/microsoft/vidur, trace replay request generator
 * splitwise_sim github.com/Mutinifni/splitwise-sim, traces/
 * mooncake      github.com/kvcache-ai/Mooncake, FAST25-release/traces; ids of 512-token blocks
 * timed_trace   `vllm bench serve --dataset-name timed_trace` with its defaults: the keys of
 *               mooncake, but seconds and 16-token blocks
 * aiperf        github.com/ai-dynamo/aiperf, mooncake_trace with session_id and delay
 * bailian       github.com/alibaba-edu/qwen-bailian-usagetraces-anon, *_blksz_16
 * burstgpt      github.com/HPMLL/BurstGPT; version 3 of the data added the session columns
 * blis          github.com/inference-sim/inference-sim, TraceV2
 * llmservingsim github.com/casys-kaist/LLMServingSim, dataset/; .tsv up to its version 1 */
static const struct trace_layout layouts[TRACE_FORMAT_COUNT] = {
    [TRACE_AZURE] =
        {
            .name = "azure",
            .summary = "Azure LLM inference traces 2023 and 2024, CSV",
            .syntax = SYNTAX_CSV,
            .clock = CLOCK_DATE,
            .columns = {{"TIMESTAMP", FIELD_TIME, true},
                        {"ContextTokens", FIELD_PROMPT, true},
                        {"GeneratedTokens", FIELD_OUTPUT, true}},
            .header = "TIMESTAMP,ContextTokens,GeneratedTokens",
            .row = "@t,@p,@o",
            .resolution_ns = 100,
        },
    [TRACE_VIDUR] =
        {
            .name = "vidur",
            .summary = "Vidur, CSV in seconds",
            .syntax = SYNTAX_CSV,
            .clock = CLOCK_SECONDS,
            .columns = {{"arrived_at", FIELD_TIME, true},
                        {"num_prefill_tokens", FIELD_PROMPT, true},
                        {"num_decode_tokens", FIELD_OUTPUT, true}},
            .header = "arrived_at,num_prefill_tokens,num_decode_tokens",
            .row = "@t,@p,@o",
            .resolution_ns = 1,
        },
    [TRACE_SPLITWISE_SIM] =
        {
            .name = "splitwise_sim",
            .summary = "splitwise-sim, CSV in seconds",
            .syntax = SYNTAX_CSV,
            .clock = CLOCK_SECONDS,
            .columns = {{"arrival_timestamp", FIELD_TIME, true},
                        {"prompt_size", FIELD_PROMPT, true},
                        {"token_size", FIELD_OUTPUT, true}},
            .header = "request_id,request_type,application_id,arrival_timestamp,batch_size,"
                      "prompt_size,token_size",
            .row = "@n,2,0,@t,1,@p,@o", /* type 2: a generative model's request */
            .resolution_ns = 1,
        },
    [TRACE_MOONCAKE] =
        {
            .name = "mooncake",
            .summary = "Mooncake, SGLang, GuideLLM, AIPerf: JSONL in ms, hash_ids of 512 tokens",
            .syntax = SYNTAX_JSONL,
            .clock = CLOCK_MILLISECONDS,
            .block_tok = 512,
            .columns = {{"timestamp", FIELD_TIME, true},
                        {"input_length", FIELD_PROMPT, true},
                        {"output_length", FIELD_OUTPUT, true},
                        {"hash_ids", FIELD_BLOCKS, false}},
            .row = "{\"timestamp\": @t, \"input_length\": @p, \"output_length\": @o@h}",
            .resolution_ns = 1000000,
        },
    [TRACE_TIMED_TRACE] =
        {
            .name = "timed_trace",
            .summary = "vLLM timed_trace: JSONL in seconds, hash_ids of 16 tokens",
            .syntax = SYNTAX_JSONL,
            .clock = CLOCK_SECONDS,
            .block_tok = 16,
            .columns = {{"timestamp", FIELD_TIME, true},
                        {"input_length", FIELD_PROMPT, true},
                        {"output_length", FIELD_OUTPUT, true},
                        {"hash_ids", FIELD_BLOCKS, false}},
            .row = "{\"timestamp\": @t, \"input_length\": @p, \"output_length\": @o@h}",
            .resolution_ns = 1000,
        },
    [TRACE_AIPERF] =
        {
            .name = "aiperf",
            .summary = "AIPerf sessions: JSONL in ms, later turns by delay",
            .syntax = SYNTAX_JSONL,
            .clock = CLOCK_MILLISECONDS,
            .block_tok = 512,
            .any_order = true,
            .columns = {{"session_id", FIELD_SESSION, true},
                        {"timestamp", FIELD_TIME, false},
                        {"delay", FIELD_DELAY, false},
                        {"input_length", FIELD_PROMPT, true},
                        {"output_length", FIELD_OUTPUT, true},
                        {"hash_ids", FIELD_BLOCKS, false}},
            .row = "{\"session_id\": \"@s\", \"timestamp\": @t, \"input_length\": @p, "
                   "\"output_length\": @o@h}",
            .resolution_ns = 1000000,
        },
    [TRACE_BAILIAN] =
        {
            .name = "bailian",
            .summary = "Qwen-Bailian: JSONL in seconds, hash_ids of 16 tokens",
            .syntax = SYNTAX_JSONL,
            .clock = CLOCK_SECONDS,
            .block_tok = 16,
            .columns = {{"chat_id", FIELD_SESSION, true},
                        {"parent_chat_id", FIELD_PARENT, false},
                        {"timestamp", FIELD_TIME, true},
                        {"input_length", FIELD_PROMPT, true},
                        {"output_length", FIELD_OUTPUT, true},
                        {"hash_ids", FIELD_BLOCKS, false}},
            .row = "{\"chat_id\": @n, \"parent_chat_id\": -1, \"timestamp\": @t, \"input_length\": "
                   "@p, \"output_length\": @o, \"type\": \"text\", \"turn\": 1@h}",
            .resolution_ns = 1000000,
        },
    [TRACE_BURSTGPT] =
        {
            .name = "burstgpt",
            .summary = "BurstGPT with or without sessions, CSV in seconds",
            .syntax = SYNTAX_CSV,
            .clock = CLOCK_SECONDS,
            .columns = {{"Timestamp", FIELD_TIME, true},
                        {"Session ID", FIELD_SESSION, false},
                        {"Request tokens", FIELD_PROMPT, true},
                        {"Response tokens", FIELD_OUTPUT, true}},
            .header = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type",
            .row = "@t,ChatGPT,@p,@o,@+,Conversation log",
            .resolution_ns = 1000,
        },
    [TRACE_BLIS] =
        {
            .name = "blis",
            .summary = "BLIS TraceV2: a YAML header beside a CSV in microseconds",
            .syntax = SYNTAX_CSV,
            .clock = CLOCK_MICROSECONDS,
            .any_order = true,
            .columns = {{"session_id", FIELD_SESSION, false},
                        {"input_tokens", FIELD_PROMPT, true},
                        {"output_tokens", FIELD_OUTPUT, true},
                        {"arrival_time_us", FIELD_TIME, true}},
            .header =
                "request_id,client_id,tenant_id,slo_class,session_id,round_index,prefix_group,"
                "prefix_length,streaming,input_tokens,output_tokens,text_tokens,image_tokens,"
                "audio_tokens,video_tokens,reason_ratio,model,deadline_us,"
                "server_input_tokens,arrival_time_us,send_time_us,first_chunk_time_us,"
                "last_chunk_time_us,num_chunks,status,error_message,finish_reason",
            .row = "@n,,,,,0,,0,false,@p,@o,@p,0,0,0,0,,0,0,@t,0,0,0,0,ok,,",
            .resolution_ns = 1000,
        },
    [TRACE_LLMSERVINGSIM] =
        {
            .name = "llmservingsim",
            .summary = "LLMServingSim: JSONL in nanoseconds",
            .syntax = SYNTAX_JSONL,
            .clock = CLOCK_NANOSECONDS,
            .columns = {{"input_toks", FIELD_PROMPT, true},
                        {"output_toks", FIELD_OUTPUT, true},
                        {"arrival_time_ns", FIELD_TIME, true}},
            .row = "{\"input_toks\": @p, \"output_toks\": @o, \"arrival_time_ns\": @t}",
            .resolution_ns = 1,
        },
    [TRACE_LLMSERVINGSIM_TSV] =
        {
            .name = "llmservingsim_tsv",
            .summary = "LLMServingSim before version 2: tab-separated, in nanoseconds",
            .syntax = SYNTAX_CSV,
            .clock = CLOCK_NANOSECONDS,
            .columns = {{"input_toks", FIELD_PROMPT, true},
                        {"output_toks", FIELD_OUTPUT, true},
                        {"arrival_time_ns", FIELD_TIME, true}},
            .header = "input_toks\toutput_toks\tarrival_time_ns",
            .row = "@p\t@o\t@t",
            .resolution_ns = 1,
        },
};

const char *const trace_format_names[] = {
    "auto",    "azure",    "vidur", "splitwise_sim", "mooncake",          "timed_trace", "aiperf",
    "bailian", "burstgpt", "blis",  "llmservingsim", "llmservingsim_tsv", NULL};

const struct trace_layout *trace_layout(enum trace_format format)
{
    assert(format > TRACE_AUTO && format < TRACE_FORMAT_COUNT);
    return &layouts[format];
}

static bool is_among(const char *name, const struct text *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text_is(names[i], name))
            return true;
    return false;
}

const char *trace_missing_column(enum trace_format format, const struct text *names, size_t count)
{
    for (const struct trace_column *column = trace_layout(format)->columns; column->name; column++)
        if (column->required && !is_among(column->name, names, count))
            return column->name;
    return NULL;
}

static size_t count_known(enum trace_format format, const struct text *names, size_t count)
{
    size_t known = 0;
    for (const struct trace_column *column = trace_layout(format)->columns; column->name; column++)
        known += is_among(column->name, names, count);
    return known;
}

/* Formats can share columns (a session file has all of Mooncake's): most columns known wins, the
 * earlier format of the table on a tie. */
enum trace_format trace_format_of_columns(enum trace_syntax syntax, const struct text *names,
                                          size_t count)
{
    enum trace_format best = TRACE_AUTO;
    size_t best_known = 0;
    for (int f = TRACE_AUTO + 1; f < TRACE_FORMAT_COUNT; f++) {
        enum trace_format format = (enum trace_format)f;
        if (trace_layout(format)->syntax != syntax || trace_missing_column(format, names, count))
            continue;
        size_t known = count_known(format, names, count);
        if (known > best_known) {
            best = format;
            best_known = known;
        }
    }
    return best;
}

const char *trace_field_name(const struct trace_layout *layout, enum trace_field field)
{
    for (const struct trace_column *column = layout->columns; column->name; column++)
        if (column->field == field)
            return column->name;
    return NULL;
}

void trace_required_columns(enum trace_format format, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (const struct trace_column *column = trace_layout(format)->columns; column->name; column++)
        if (column->required && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "",
                                     column->name);
}
