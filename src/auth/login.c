/*
 * Passwords on workers. A job owns copies of all it needs, so that nothing is shared with the
 * worker; what it finds is judged on the loop thread, against the user as he is by then.
 */
#include <sodium.h>
#include <string.h>
#include "auth/internal.h"
#include "base/alloc.h"
#include "base/str.h"
#include "ev/work.h"

#define LIMIT_KEY_SIZE 80

struct job {
    struct job *next;
    struct auth *auth; /* NULL: canceled, only to be freed */
    struct password_cost cost;
    char password[PASSWORD_MAX_BYTES + 2];
    char hash[PASSWORD_HASH_SIZE]; /* to check against, or made */
    struct user_id user;           /* 0: unknown name */
    char name_key[LIMIT_KEY_SIZE], peer_key[LIMIT_KEY_SIZE];
    int64_t start_ms;
    auth_login_fn *login_fn; /* a login … */
    auth_hash_fn *hash_fn;   /* … or a new hash */
    void *arg;
    bool is_right;
    int rc;
    struct err err;
};

/* ---- jobs ---- */

static void run(void *message)
{
    struct job *j = message;
    if (j->login_fn != NULL)
        j->is_right = password_is_right(j->password, j->hash, &j->cost);
    else
        j->rc = password_hash(j->password, &j->cost, j->hash, &j->err);
    sodium_memzero(j->password, sizeof(j->password));
}

static void job_free(struct job *j)
{
    sodium_memzero(j, sizeof(*j));
    mem_free(j);
}

static void unlink_job(struct job *j)
{
    struct job **at = &j->auth->jobs;
    while (*at != j)
        at = &(*at)->next;
    *at = j->next;
    j->auth->job_count--;
}

static void judge_login(struct job *j)
{
    struct auth *a = j->auth;
    const struct user *user = j->user.v == 0 ? NULL : auth_find_user(a, j->user);
    bool is_good = j->is_right && user != NULL && !user->disabled &&
                   str_is_equal(user->password_hash, j->hash);
    if (is_good) {
        limiter_succeed(&a->limits, j->name_key);
        limiter_succeed(&a->limits, j->peer_key);
        j->login_fn(j->arg, 0, user, NULL);
        return;
    }
    limiter_fail(&a->limits, j->name_key, j->start_ms);
    limiter_fail(&a->limits, j->peer_key, j->start_ms);
    int rc = err_set(&j->err, BERR_UNAUTHENTICATED, "wrong name or password");
    j->login_fn(j->arg, rc, NULL, &j->err);
}

static void done(void *message)
{
    struct job *j = message;
    if (j->auth != NULL) {
        unlink_job(j);
        if (j->login_fn != NULL)
            judge_login(j);
        else
            j->hash_fn(j->arg, j->rc, j->rc < 0 ? NULL : j->hash, j->rc < 0 ? &j->err : NULL);
    }
    job_free(j);
}

static void answer_failure(struct job *j, int rc, const struct err *err)
{
    if (j->login_fn != NULL)
        j->login_fn(j->arg, rc, NULL, err);
    else
        j->hash_fn(j->arg, rc, NULL, err);
}

void auth_cancel_jobs(struct auth *a)
{
    struct err err;
    int rc = err_set(&err, BERR_CANCELED, "berth is stopping");
    while (a->jobs != NULL) {
        struct job *j = a->jobs;
        unlink_job(j);
        j->auth = NULL;
        answer_failure(j, rc, &err);
    }
}

static void start(struct auth *a, struct job *j)
{
    j->next = a->jobs;
    a->jobs = j;
    a->job_count++;
    struct err err;
    int rc = 0;
    if (a->loop == NULL)
        run(j);
    else
        rc = ev_work(a->loop, run, done, j, &err);
    if (rc == 0) {
        if (a->loop == NULL)
            done(j);
        return;
    }
    unlink_job(j);
    answer_failure(j, rc, &err);
    job_free(j);
}

/* A job with the password, or NULL with the reason in err. */
static struct job *job_new(struct auth *a, const char *password, void *arg, struct err *err)
{
    if (a->job_count >= a->cfg.password_jobs) {
        err_set(err, BERR_BUSY, "too many logins at once");
        err_hint(err, "try again in a second");
        return NULL;
    }
    struct job *j = mem_calloc(1, sizeof(*j));
    if (j == NULL) {
        err_set(err, BERR_NOMEM, "auth: out of memory");
        return NULL;
    }
    j->auth = a;
    j->cost = a->cfg.cost;
    j->arg = arg;
    str_copy(j->password, sizeof(j->password), password); /* one too long stays too long */
    return j;
}

/* ---- public ---- */

/* Seconds that name or peer still has to wait; 0: none. */
static int64_t wait_s(const struct auth *a, const char *name_key, const char *peer_key,
                      int64_t now_ms)
{
    int64_t of_name = limiter_wait_ms(&a->limits, name_key, now_ms);
    int64_t of_peer = limiter_wait_ms(&a->limits, peer_key, now_ms);
    return ((of_name > of_peer ? of_name : of_peer) + 999) / 1000;
}

void auth_login(struct auth *a, const char *name, const char *password, const char *peer,
                int64_t now_ms, auth_login_fn *fn, void *arg)
{
    char name_key[LIMIT_KEY_SIZE], peer_key[LIMIT_KEY_SIZE];
    snprintf(name_key, sizeof(name_key), "user %s", name);
    snprintf(peer_key, sizeof(peer_key), "peer %s", peer);
    struct err err;
    int64_t seconds = wait_s(a, name_key, peer_key, now_ms);
    if (seconds > 0) {
        int rc = err_set(&err, BERR_BUSY, "too many failed logins");
        err_hint(&err, "try again in %lld seconds", (long long)seconds);
        fn(arg, rc, NULL, &err);
        return;
    }
    struct job *j = job_new(a, password, arg, &err);
    if (j == NULL) {
        fn(arg, -(int)err.code, NULL, &err);
        return;
    }
    const struct user *user = auth_find_user_name(a, name);
    if (user != NULL && !user->disabled) {
        j->user = user->id;
        str_copy(j->hash, sizeof(j->hash), user->password_hash);
    }
    memcpy(j->name_key, name_key, sizeof(name_key));
    memcpy(j->peer_key, peer_key, sizeof(peer_key));
    j->start_ms = now_ms;
    j->login_fn = fn;
    start(a, j);
}

void auth_hash_password(struct auth *a, const char *password, auth_hash_fn *fn, void *arg)
{
    struct err err;
    int rc = password_check(password, &err);
    struct job *j = rc < 0 ? NULL : job_new(a, password, arg, &err);
    if (j == NULL) {
        fn(arg, -(int)err.code, NULL, &err);
        return;
    }
    j->hash_fn = fn;
    start(a, j);
}
