/* The stable names of the enums of sched.h. */
#include "sched/sched.h"

const char *sched_hold_name(enum sched_hold_code code)
{
#define X(sym, name) name,
    static const char *const names[] = {SCHED_HOLD_LIST(X)};
#undef X
    check((unsigned)code < ARRAY_LEN(names));
    return names[code];
}

static void print_slots(const struct sched_input *in, const struct sched_action *action,
                        struct buf *out)
{
    for (uint32_t i = 0; i < action->slot_count; i++) {
        const struct sched_slot *slot = &action->slots[i];
        buf_printf(out, " %u@%s", slot->role, in->nodes[slot->node].name);
        for (uint32_t g = 0; g < slot->gpu_count; g++)
            buf_printf(out, "%c%u", g == 0 ? ':' : ',', slot->gpus[g]);
        if (slot->gpu_count > 0 && slot->gpu_milli < 1000)
            buf_printf(out, "/%lld", (long long)slot->gpu_milli);
    }
}

void sched_plan_print(const struct sched_input *in, const struct sched_plan *plan, struct buf *out)
{
#define X(sym, name) name,
    static const char *const kinds[] = {SCHED_ACTION_LIST(X)};
#undef X
    for (uint32_t i = 0; i < plan->action_count; i++) {
        const struct sched_action *action = &plan->actions[i];
        bool is_waiting = action->kind == SCHED_START || action->kind == SCHED_RESUME;
        uint64_t id = is_waiting ? in->waiting[action->index].id : in->running[action->index].id;
        buf_printf(out, "%s %llu", kinds[action->kind], (unsigned long long)id);
        print_slots(in, action, out);
        buf_printf(out, "%s%s\n", action->why == NULL ? "" : ": ",
                   action->why == NULL ? "" : action->why);
    }
    for (uint32_t i = 0; i < plan->hold_count; i++) {
        const struct sched_hold *h = &plan->holds[i];
        buf_printf(out, "hold %llu %u %s: %s", (unsigned long long)in->waiting[h->index].id,
                   h->place, sched_hold_name(h->code), h->reason);
        if (h->remedy != NULL)
            buf_printf(out, " (%s)", h->remedy);
        if (h->eta_ms != 0)
            buf_printf(out, " eta %lld..%lld..%lld", (long long)h->eta_low_ms, (long long)h->eta_ms,
                       (long long)h->eta_high_ms);
        buf_putc(out, '\n');
    }
    if (plan->wake_ms != 0)
        buf_printf(out, "wake %lld\n", (long long)plan->wake_ms);
}
