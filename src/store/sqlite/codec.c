/* Columns of each kind of row, written and read in the same order, side by side. */
#include "store/sqlite/codec.h"

#include <string.h>
#include "base/str.h"

void put_user(struct row *row, const struct user *u)
{
    put_u64(row, u->id.v);
    put_text(row, u->name);
    put_i64(row, u->cluster_admin);
    put_i64(row, u->disabled);
    put_text(row, u->password_hash);
    put_i64(row, u->created_ms);
    put_u64(row, u->version);
}

void get_user(struct row *row, struct user *ret)
{
    ret->id.v = get_u64(row);
    get_text(row, ret->name, sizeof(ret->name));
    ret->cluster_admin = get_i64(row) != 0;
    ret->disabled = get_i64(row) != 0;
    get_text(row, ret->password_hash, sizeof(ret->password_hash));
    ret->created_ms = get_i64(row);
    ret->version = get_u64(row);
}

void put_token(struct row *row, const struct token *t)
{
    put_u64(row, t->id.v);
    put_u64(row, t->user.v);
    put_blob(row, t->digest, sizeof(t->digest));
    put_text(row, t->label);
    put_i64(row, t->created_ms);
    put_i64(row, t->expires_ms);
    put_i64(row, t->session);
    put_u64(row, t->route);
}

void get_token(struct row *row, struct token *ret)
{
    ret->id.v = get_u64(row);
    ret->user.v = get_u64(row);
    get_blob(row, ret->digest, sizeof(ret->digest));
    get_text(row, ret->label, sizeof(ret->label));
    ret->created_ms = get_i64(row);
    ret->expires_ms = get_i64(row);
    ret->session = get_i64(row) != 0;
    ret->route = get_u64(row);
}

void put_project(struct row *row, const struct project *p)
{
    put_u64(row, p->id.v);
    put_text(row, p->name);
    put_i64(row, p->internet);
    put_i64(row, p->subnet);
    put_i64(row, p->created_ms);
    put_u64(row, p->version);
}

void get_project(struct row *row, struct project *ret)
{
    ret->id.v = get_u64(row);
    get_text(row, ret->name, sizeof(ret->name));
    ret->internet = get_i64(row) != 0;
    ret->subnet = (uint32_t)get_i64(row);
    ret->created_ms = get_i64(row);
    ret->version = get_u64(row);
}

void put_member(struct row *row, const struct member *m)
{
    put_u64(row, m->project.v);
    put_u64(row, m->user.v);
    if (m->role != ROLE_NONE)
        put_word(row, role_names, (int)m->role);
}

void get_member(struct row *row, struct member *ret)
{
    ret->project.v = get_u64(row);
    ret->user.v = get_u64(row);
    ret->role = (enum role)get_word(row, role_names);
}

void put_volume(struct row *row, const struct volume_row *v)
{
    put_u64(row, v->id.v);
    put_u64(row, v->project.v);
    put_u64(row, v->owner.v);
    put_text(row, v->name);
    put_u64(row, v->size_bytes);
    put_i64(row, v->created_ms);
    put_u64(row, v->version);
}

void get_volume(struct row *row, struct volume_row *ret)
{
    ret->id.v = get_u64(row);
    ret->project.v = get_u64(row);
    ret->owner.v = get_u64(row);
    get_text(row, ret->name, sizeof(ret->name));
    ret->size_bytes = get_u64(row);
    ret->created_ms = get_i64(row);
    ret->version = get_u64(row);
}

void put_image(struct row *row, const struct image *i, char *layers)
{
    size_t len = 0;
    layers[0] = '\0';
    for (uint32_t k = 0; k < i->layer_count; k++)
        len += (size_t)snprintf(layers + len, IMAGE_LAYERS_TEXT_SIZE - len, "%s ", i->layers[k]);
    put_u64(row, i->id.v);
    put_text(row, i->name);
    put_text(row, i->tag);
    put_word(row, image_state_names, (int)i->state);
    put_text(row, i->source);
    put_text(row, i->digest);
    put_text(row, layers);
    put_u64(row, i->size_bytes);
    put_text(row, i->config);
    put_text(row, i->reason);
    put_u64(row, i->owner.v);
    put_i64(row, i->created_ms);
    put_i64(row, i->used_ms);
    put_u64(row, i->version);
}

static void get_layers(struct row *row, struct image *ret)
{
    const char *s = get_str(row);
    ret->layer_count = 0;
    for (const char *end; s != NULL && (end = strchr(s, ' ')) != NULL; s = end + 1) {
        size_t len = (size_t)(end - s);
        if (ret->layer_count == IMAGE_LAYERS_MAX || len >= sizeof(ret->layers[0])) {
            row->is_malformed = true;
            return;
        }
        memcpy(ret->layers[ret->layer_count], s, len);
        ret->layers[ret->layer_count++][len] = '\0';
    }
}

void get_image(struct row *row, struct image *ret)
{
    ret->id.v = get_u64(row);
    get_text(row, ret->name, sizeof(ret->name));
    get_text(row, ret->tag, sizeof(ret->tag));
    ret->state = (enum image_state)get_word(row, image_state_names);
    get_text(row, ret->source, sizeof(ret->source));
    get_text(row, ret->digest, sizeof(ret->digest));
    get_layers(row, ret);
    ret->size_bytes = get_u64(row);
    get_text(row, ret->config, sizeof(ret->config));
    get_text(row, ret->reason, sizeof(ret->reason));
    ret->owner.v = get_u64(row);
    ret->created_ms = get_i64(row);
    ret->used_ms = get_i64(row);
    ret->version = get_u64(row);
}

void put_event(struct row *row, const struct event *e)
{
    put_u64(row, e->seq);
    put_i64(row, e->time_ms);
    put_text(row, e->type == NULL ? "" : e->type);
    put_u64(row, e->subject);
    put_text(row, e->subject_kind == NULL ? "" : e->subject_kind);
    put_u64(row, e->project);
    put_u64(row, e->actor);
    put_text(row, e->text == NULL ? "" : e->text);
    put_text(row, e->data);
}

void get_event(struct row *row, struct event *ret)
{
    ret->seq = get_u64(row);
    ret->time_ms = get_i64(row);
    ret->type = get_str(row);
    ret->subject = get_u64(row);
    ret->subject_kind = get_str(row);
    ret->project = get_u64(row);
    ret->actor = get_u64(row);
    ret->text = get_str(row);
    ret->data = get_str(row);
}

static void put_key(struct row *row, struct attempt_key key)
{
    put_u64(row, key.workload.v);
    put_i64(row, key.number);
    put_u64(row, key.fence);
}

static void get_key(struct row *row, struct attempt_key *ret)
{
    ret->workload.v = get_u64(row);
    ret->number = (uint32_t)get_i64(row);
    ret->fence = get_u64(row);
}

void put_ledger(struct row *row, const struct ledger_row *l)
{
    put_text(row, l->kind);
    put_text(row, l->name);
    put_text(row, l->state);
    put_key(row, l->holder);
    put_text(row, l->reason);
}

void get_ledger(struct row *row, struct ledger_row *ret)
{
    get_text(row, ret->kind, sizeof(ret->kind));
    get_text(row, ret->name, sizeof(ret->name));
    get_text(row, ret->state, sizeof(ret->state));
    get_key(row, &ret->holder);
    get_text(row, ret->reason, sizeof(ret->reason));
}

void put_idempotency(struct row *row, const struct idempotency_row *r)
{
    put_u64(row, r->user.v);
    put_text(row, r->key);
    put_u64(row, r->made);
    put_i64(row, r->time_ms);
}

void get_idempotency(struct row *row, struct idempotency_row *ret)
{
    ret->user.v = get_u64(row);
    get_text(row, ret->key, sizeof(ret->key));
    ret->made = get_u64(row);
    ret->time_ms = get_i64(row);
}

void put_workload(struct row *row, const struct workload_row *r)
{
    const struct workload *w = &r->w;
    put_u64(row, w->id.v);
    put_u64(row, w->project.v);
    put_u64(row, w->owner.v);
    put_text(row, r->spec_json == NULL ? NULL : workload_kind_names[r->kind]);
    put_word(row, workload_state_names, (int)w->state);
    put_i64(row, workload_state_is_final(w->state));
    put_word(row, desired_names, (int)w->desired);
    put_word(row, end_reason_names, (int)w->stop_reason);
    put_i64(row, w->submitted_ms);
    put_i64(row, w->started_ms);
    put_i64(row, w->ended_ms);
    put_i64(row, w->state_since_ms);
    put_i64(row, w->not_before_ms);
    put_i64(row, w->attempts);
    put_i64(row, w->retries_used);
    put_text(row, w->reason);
    put_text(row, w->hold_code);
    put_text(row, w->secret);
    put_text(row, r->spec_json);
    put_u64(row, w->version);
}

void get_workload(struct row *row, struct workload *ret, const char **ret_spec_json)
{
    ret->id.v = get_u64(row);
    ret->project.v = get_u64(row);
    ret->owner.v = get_u64(row);
    get_str(row); /* kind: also in the spec */
    ret->state = (enum workload_state)get_word(row, workload_state_names);
    get_i64(row); /* is_final: follows from the state */
    ret->desired = (enum desired)get_word(row, desired_names);
    ret->stop_reason = (enum end_reason)get_word(row, end_reason_names);
    ret->submitted_ms = get_i64(row);
    ret->started_ms = get_i64(row);
    ret->ended_ms = get_i64(row);
    ret->state_since_ms = get_i64(row);
    ret->not_before_ms = get_i64(row);
    ret->attempts = (uint32_t)get_i64(row);
    ret->retries_used = (uint32_t)get_i64(row);
    get_text(row, ret->reason, sizeof(ret->reason));
    get_text(row, ret->hold_code, sizeof(ret->hold_code));
    get_text(row, ret->secret, sizeof(ret->secret));
    *ret_spec_json = get_str(row);
    ret->version = get_u64(row);
    if (*ret_spec_json == NULL)
        row->is_malformed = true;
}

void put_attempt(struct row *row, const struct attempt *a, const char *tasks_json)
{
    put_key(row, a->key);
    put_text(row, a->site);
    put_i64(row, a->placed_ms);
    put_i64(row, a->started_ms);
    put_i64(row, a->ended_ms);
    put_word(row, end_reason_names, (int)a->end_reason);
    put_i64(row, a->end_task);
    put_i64(row, a->end_code);
    put_text(row, a->end_text);
    put_i64(row, a->gone);
    put_text(row, tasks_json);
}

bool get_attempt(struct row *row, struct arena *arena, struct attempt *ret)
{
    get_key(row, &ret->key);
    if (ret->key.workload.v == 0)
        return false;
    get_text(row, ret->site, sizeof(ret->site));
    ret->placed_ms = get_i64(row);
    ret->started_ms = get_i64(row);
    ret->ended_ms = get_i64(row);
    ret->end_reason = (enum end_reason)get_word(row, end_reason_names);
    ret->end_task = (uint32_t)get_i64(row);
    ret->end_code = (int)get_i64(row);
    get_text(row, ret->end_text, sizeof(ret->end_text));
    ret->gone = get_i64(row) != 0;
    const char *tasks = get_str(row);
    int rc =
        tasks == NULL ? -BERR_INVALID : tasks_decode(tasks, arena, &ret->tasks, &ret->task_count);
    if (rc == -BERR_NOMEM)
        row->rc = SQLITE_NOMEM;
    else if (rc < 0)
        row->is_malformed = true;
    return true;
}
