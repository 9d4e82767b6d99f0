/*
 * What may stand in a request beyond types and lengths. The runner is root: whatever ends up in a
 * path, an argument or a mount passes here first.
 */
#include <arpa/inet.h>
#include <string.h>
#include "base/limits.h"
#include "base/str.h"
#include "wire/tables.h"

static int bad(struct err *err, const char *field, const char *text)
{
    int rc = err_set(err, BERR_INVALID, "%s: %s", field, text);
    err_at(err, field, 0, 0);
    return rc;
}

static bool is_digest(const char *s)
{
    if (strlen(s) != 64)
        return false;
    return strspn(s, "0123456789abcdef") == 64;
}

/* Absolute, no empty, "." or ".." part, no control characters: nothing that resolves elsewhere. */
static bool is_path(const char *s)
{
    if (s[0] != '/')
        return false;
    const char *part = s + 1;
    for (const char *p = part;; p++) {
        if ((unsigned char)*p < 0x20 && *p != '\0')
            return false;
        if (*p != '/' && *p != '\0')
            continue;
        size_t len = (size_t)(p - part);
        if (len == 0 || (len == 1 && part[0] == '.') ||
            (len == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        if (*p == '\0')
            return true;
        part = p + 1;
    }
}

static bool is_within(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    return strncmp(path, dir, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static bool is_address(const char *s)
{
    struct in_addr unused;
    return inet_pton(AF_INET, s, &unused) == 1;
}

static bool is_env_key(const char *s)
{
    if (*s == '\0' || (*s >= '0' && *s <= '9'))
        return false;
    for (; *s != '\0'; s++) {
        bool ok = *s == '_' || (*s >= '0' && *s <= '9') || (*s >= 'A' && *s <= 'Z') ||
                  (*s >= 'a' && *s <= 'z');
        if (!ok)
            return false;
    }
    return true;
}

/* Only these characters, the first one a letter or digit, so that it never looks like an option. */
static bool is_word(const char *s, const char *others, size_t max)
{
    size_t len = strlen(s);
    if (len == 0 || len > max)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && (i == 0 || strchr(others, c) == NULL))
            return false;
    }
    return true;
}

static int check_words(const struct js_strs *words, const char *others, const char *field,
                       struct err *err)
{
    for (size_t i = 0; i < words->len; i++) {
        if (!is_word(words->items[i], others, 200))
            return bad(err, field, "has a name with characters that do not belong there");
    }
    return 0;
}

static int check_command(const struct js_strs *command, const struct js_pairs *env,
                         const char *workdir, struct err *err)
{
    size_t total = 0;
    for (size_t i = 0; i < command->len; i++)
        total += strlen(command->items[i]) + 1;
    if (total > LIMIT_COMMAND_BYTES)
        return bad(err, "command", "is too long");
    if (command->items[0][0] == '\0')
        return bad(err, "command", "has an empty name of a program");
    for (size_t i = 0; i < env->len; i++) {
        if (!is_env_key(env->items[i].key))
            return bad(err, "env", "names are letters, digits and underscores");
    }
    if (workdir != NULL && strcmp(workdir, "/") != 0 && !is_path(workdir))
        return bad(err, "workdir", "must be an absolute path without . and ..");
    return 0;
}

/* Where mounts of ours and the kernel's are: no volume goes over or below them. */
static const char *const own_paths[] = {"/proc", "/sys", "/dev", "/.berth", "/etc"};

static int check_volumes(const struct js_list *volumes, struct err *err)
{
    const struct wire_mount *m = volumes->items;
    for (size_t i = 0; i < volumes->len; i++) {
        if (m[i].volume == 0)
            return bad(err, "volumes.volume", "is missing");
        if (!is_path(m[i].path))
            return bad(err, "volumes.path", "must be an absolute path without . and ..");
        for (size_t k = 0; k < ARRAY_LEN(own_paths); k++) {
            if (is_within(m[i].path, own_paths[k]))
                return bad(err, "volumes.path", "a volume cannot be mounted there");
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(m[k].path, m[i].path) == 0)
                return bad(err, "volumes.path", "two volumes have the same path");
        }
    }
    return 0;
}

static int check_key(const struct wire_key *key, struct err *err)
{
    if (key->workload == 0)
        return bad(err, "key.workload", "is missing");
    return 0;
}

static int check_task_create(const struct wire_task_create *t, struct err *err)
{
    int rc = check_key(&t->key, err);
    if (rc == 0)
        rc = check_command(&t->command, &t->env, t->workdir, err);
    if (rc == 0)
        rc = check_volumes(&t->volumes, err);
    if (rc == 0)
        rc = check_words(&t->gpus, "-./", "gpus", err);
    if (rc != 0)
        return rc;
    if (t->project == 0)
        return bad(err, "project", "is missing");
    if (strcmp(t->user_name, "root") == 0)
        return bad(err, "user_name", "must not be root");
    for (size_t i = 0; i < t->layers.len; i++) {
        if (!is_digest(t->layers.items[i]))
            return bad(err, "layers", "must be digests of 64 hex digits");
    }
    if (t->code != NULL && !is_digest(t->code))
        return bad(err, "code", "must be a digest of 64 hex digits");
    if (t->address != NULL && !is_address(t->address))
        return bad(err, "address", "must be an IPv4 address");
    for (size_t i = 0; i < t->hosts.len; i++) {
        if (!str_is_label(t->hosts.items[i].key) || !is_address(t->hosts.items[i].value))
            return bad(err, "hosts", "must be names with IPv4 addresses");
    }
    return 0;
}

static int check_exec(const struct wire_exec *e, struct err *err)
{
    int rc = check_key(&e->key, err);
    return rc != 0 ? rc : check_command(&e->command, &e->env, e->workdir, err);
}

/* Debian policy 5.6.7: lower case letters, digits, + - and a dot, from two characters on. */
bool wire_is_deb_name(const char *s)
{
    size_t len = strlen(s);
    return len >= 2 && len <= 128 && strchr("+-.", s[0]) == NULL &&
           strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789+-.") == len;
}

/* PEP 508: name, and optionally ==version (PEP 440, without *). Nothing that pip takes for a path,
 * an address or an option. */
bool wire_is_pip_name(const char *s)
{
    const char *version = strstr(s, "==");
    size_t len = version != NULL ? (size_t)(version - s) : strlen(s);
    char name[129];
    if (len >= sizeof(name))
        return false;
    memcpy(name, s, len);
    name[len] = '\0';
    if (!is_word(name, "-._", 128) || strchr("-._", name[len - 1]) != NULL)
        return false;
    return version == NULL || is_word(version + 2, ".+!-_", 100);
}

static int check_digest(const char *s, const char *field, struct err *err)
{
    return is_digest(s) ? 0 : bad(err, field, "must be a digest of 64 hex digits");
}

static int check_image_build(const struct wire_image_build *b, struct err *err)
{
    if (strcmp(b->suite, "bookworm") != 0 && strcmp(b->suite, "trixie") != 0)
        return bad(err, "suite", "must be bookworm or trixie");
    for (size_t i = 0; i < b->packages.len; i++) {
        if (!wire_is_deb_name(b->packages.items[i]))
            return bad(err, "packages", "has something that is no name of a Debian package");
    }
    for (size_t i = 0; i < b->pip.len; i++) {
        if (!wire_is_pip_name(b->pip.items[i]))
            return bad(err, "pip", "has something that is neither a name nor name==version");
    }
    return check_digest(b->layer, "layer", err);
}

int wire_check(enum wire_verb verb, const void *request, struct err *err)
{
    switch (verb) {
    case WIRE_TASK_CREATE:
        return check_task_create(request, err);
    case WIRE_TASK_START:
    case WIRE_TASK_FREEZE:
    case WIRE_TASK_THAW:
    case WIRE_TASK_DELETE:
    case WIRE_STAT:
        return check_key(&((const struct wire_task_ref *)request)->key, err);
    case WIRE_TASK_SIGNAL:
        return check_key(&((const struct wire_task_signal *)request)->key, err);
    case WIRE_EXEC:
        return check_exec(request, err);
    case WIRE_IMAGE_ADD:
        return check_digest(((const struct wire_image_add *)request)->layer, "layer", err);
    case WIRE_IMAGE_BUILD:
        return check_image_build(request, err);
    case WIRE_IMAGE_REMOVE:
        return check_digest(((const struct wire_image_remove *)request)->layer, "layer", err);
    case WIRE_VOLUME_MAKE:
    case WIRE_VOLUME_GROW:
        return ((const struct wire_volume *)request)->id == 0 ? bad(err, "id", "is missing") : 0;
    case WIRE_NET_PROJECT:
        if (((const struct wire_net_project *)request)->project == 0)
            return bad(err, "project", "is missing");
        return 0;
    case WIRE_LOG_REMOVE:
        if (((const struct wire_log_remove *)request)->workload == 0)
            return bad(err, "workload", "is missing");
        return 0;
    case WIRE_HELLO:
    case WIRE_LIST:
    case WIRE_INVENTORY:
        return 0;
    }
    return bad(err, "verb", "is unknown");
}
