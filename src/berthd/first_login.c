/*
 * first_login: an installation without users gets an admin whose password and token stand in
 * DATA/first-login (0600) until `berth up` has shown them once and removed the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"
#include "berthd/wiring.h"
#include "os/entropy.h"
#include "os/file.h"

struct making {
    struct berthd *d;
    struct user user;
    struct project project;
    struct token token;
    char password[24];
    char token_text[AUTH_TOKEN_TEXT_SIZE];
    int rc;
    struct err err;
};

/* 16 characters of 32, read aloud without doubt: 80 bits. */
static void make_password(char dst[24])
{
    static const char alphabet[] = "abcdefghjkmnpqrstuvwxyz23456789x";
    uint8_t bytes[16];
    os_random_bytes(bytes, sizeof(bytes));
    size_t n = 0;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        if (i && i % 4 == 0)
            dst[n++] = '-';
        dst[n++] = alphabet[bytes[i] % 32];
    }
    dst[n] = '\0';
}

static int write_file(const struct making *m, struct err *err)
{
    struct buf out = BUF(4096);
    struct js_writer w;
    int dir = open(m->d->opt.data_dir, O_DIRECTORY | O_PATH | O_CLOEXEC);
    js_w_init(&w, &out);
    js_w_object(&w, NULL);
    js_w_str(&w, "name", m->user.name);
    js_w_str(&w, "password", m->password);
    if (m->token_text[0])
        js_w_str(&w, "token", m->token_text);
    js_w_str(&w, "project", m->project.name);
    js_w_end_object(&w);
    int rc = dir < 0 ? err_errno(err, errno, "%s", m->d->opt.data_dir)
                     : os_file_write(dir, "db/first-login", buf_str(&out), out.len, 0600, err);
    if (dir >= 0)
        close(dir);
    buf_done(&out);
    return rc;
}

static void noted(void *arg, int rc, uint64_t id, const struct err *err)
{
    struct making *m = arg;
    (void)id;
    if (rc < 0 && m->rc == 0) {
        m->rc = rc;
        m->err = *err;
    }
}

static void last_done(void *arg, int rc, uint64_t id, const struct err *err)
{
    struct making *m = arg;
    noted(arg, rc, id, err);
    ev_loop_stop(m->d->loop);
}

int berthd_first_login(struct berthd *d, struct err *err)
{
    size_t i = 0;
    if (auth_next_user(d->auth, &i))
        return 0;
    struct making m = {.d = d};
    int64_t now = d->clock->wall_ms(d->clock->arg);
    make_password(m.password);
    m.user = (struct user){.id = {id_from_random(berthd_random(NULL))},
                           .name = "admin",
                           .cluster_admin = true,
                           .created_ms = now};
    m.project = (struct project){.id = {id_from_random(berthd_random(NULL))},
                                 .name = "default",
                                 .internet = true,
                                 .created_ms = now};
    int rc = password_hash(m.password, &(struct password_cost){0}, m.user.password_hash, err);
    /* The file first: an admin that nobody could log in as would be worse than a stale file. It is
     * written again once there is a token. */
    if (rc == 0)
        rc = write_file(&m, err);
    if (rc < 0)
        return err_wrap(err, rc, "making the first login");
    control_put_user(d->control, &m.user, m.user.id, noted, &m);
    control_put_project(d->control, &m.project, m.user.id, m.user.id, noted, &m);
    struct auth_token_request req = {.user = m.user.id, .label = "first login"};
    rc = auth_make_token(d->auth, &req, now, m.token_text, &m.token, err);
    if (rc == 0)
        rc = write_file(&m, err);
    if (rc < 0)
        return err_wrap(err, rc, "making the first login");
    control_put_token(d->control, &m.token, m.user.id, last_done, &m);
    ev_loop_run(d->loop);
    if (m.rc < 0 && err)
        *err = m.err;
    if (m.rc == 0)
        log_info("first start: made the user admin", NULL);
    return m.rc;
}
