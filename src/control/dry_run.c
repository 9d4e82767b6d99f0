/*
 * dry_run: what a plan says about one workload that is not there: the last of the input's waiting.
 */
#include "control/state.h"

static void print_slots(struct js_writer *w, const struct sched_input *in,
                        const struct sched_action *action)
{
    js_w_array(w, "tasks");
    for (uint32_t i = 0; i < action->slot_count; i++) {
        const struct sched_slot *slot = &action->slots[i];
        js_w_object(w, NULL);
        js_w_i64(w, "task", i);
        js_w_str(w, "node", in->nodes[slot->node].name);
        js_w_array(w, "gpus");
        for (uint32_t g = 0; g < slot->gpu_count; g++)
            js_w_i64(w, NULL, slot->gpus[g]);
        js_w_end_array(w);
        js_w_end_object(w);
    }
    js_w_end_array(w);
}

void dry_run_print(const struct sched_input *in, const struct sched_plan *plan, struct buf *out)
{
    uint32_t index = in->waiting_count - 1;
    struct js_writer w;
    js_w_init(&w, out);
    js_w_object(&w, NULL);
    bool starts = false;
    for (uint32_t i = 0; i < plan->action_count && !starts; i++)
        if ((plan->actions[i].kind == SCHED_START || plan->actions[i].kind == SCHED_RESUME) &&
            plan->actions[i].index == index) {
            starts = true;
            js_w_bool(&w, "starts_now", true);
            js_w_time(&w, "start", in->now_ms);
            print_slots(&w, in, &plan->actions[i]);
        }
    for (uint32_t i = 0; i < plan->hold_count && !starts; i++) {
        const struct sched_hold *hold = &plan->holds[i];
        if (hold->index != index)
            continue;
        js_w_bool(&w, "starts_now", false);
        js_w_str(&w, "code", sched_hold_name(hold->code));
        js_w_str(&w, "reason", hold->reason);
        js_w_str(&w, "remedy", hold->remedy);
        js_w_i64(&w, "place", hold->place);
        js_w_time(&w, "start", hold->eta_ms);
    }
    js_w_end_object(&w);
}
