/* The texts of every enum of this folder, from the same lists as the enums. */
#include "types/identity.h"
#include "types/image.h"
#include "types/workload.h"

#define X(sym, name) name,
const char *const workload_kind_names[KIND_MAX + 1] = {WORKLOAD_KIND_LIST(X) NULL};
const char *const place_level_names[] = {PLACE_LEVEL_LIST(X) NULL};
const char *const notebook_app_names[] = {APP_LIST(X) NULL};
const char *const desired_names[] = {DESIRED_LIST(X) NULL};
const char *const life_event_names[LIFE_MAX + 1] = {LIFE_EVENT_LIST(X) NULL};
const char *const role_names[] = {ROLE_LIST(X) NULL};
const char *const image_state_names[] = {IMAGE_STATE_LIST(X) NULL};
#undef X

#define X(sym, name, final) name,
const char *const workload_state_names[STATE_MAX + 1] = {WORKLOAD_STATE_LIST(X) NULL};
#undef X

#define X(sym, name, retry, words) name,
const char *const end_reason_names[END_MAX + 1] = {END_REASON_LIST(X) NULL};
#undef X

bool workload_state_is_final(enum workload_state state)
{
#define X(sym, name, final) final,
    static const bool is_final[STATE_MAX] = {WORKLOAD_STATE_LIST(X)};
#undef X
    check((unsigned)state < STATE_MAX);
    return is_final[state];
}

const char *end_reason_words(enum end_reason reason)
{
#define X(sym, name, retry, words) words,
    static const char *const all[END_MAX] = {END_REASON_LIST(X)};
#undef X
    check((unsigned)reason < END_MAX);
    return all[reason];
}

bool end_reason_is_retried(enum end_reason reason)
{
#define X(sym, name, retry, words) retry,
    static const bool is_retried[END_MAX] = {END_REASON_LIST(X)};
#undef X
    check((unsigned)reason < END_MAX);
    return is_retried[reason];
}
