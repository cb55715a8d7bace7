/* A Hugging Face config.json, as it is, to a struct llm (all but name and file). Errors name the
 * place in the document; on failure llm is unspecified. */
#ifndef TOKENYARD_MODELS_LLM_HF_CONFIG_H
#define TOKENYARD_MODELS_LLM_HF_CONFIG_H

#include "models/llm/llm.h"

bool hf_config_read(const struct json_document *document, struct llm *llm, struct error *error);

#endif
