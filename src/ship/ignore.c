/* gitignore(5), matched as git's wildmatch does with WM_PATHNAME; written from the manual page. */
#include "ship/ignore.h"
#include <string.h>
#include "base/alloc.h"
#include "base/str.h"

#define RULES_MAX 10000
#define STEPS_MAX 20000 /* of one match: patterns like *a*a*a*a*b take exponential time otherwise */

struct ship_rule {
    char *base;    /* directory of the rules' file; "" for the top */
    char *pattern; /* without !, and without / at either end */
    bool is_negated, is_dir_only, is_anchored;
};

/* ---- globs ---- */

/* A class at p ("[…]"): whether c is in it. *ret_end: after it, or NULL when it is not closed. */
static bool class_has(const char *p, unsigned char c, const char **ret_end)
{
    bool is_not = p[1] == '!' || p[1] == '^', is_in = false;
    const char *q = p + 1 + is_not;
    for (bool is_first = true; *q != '\0' && (*q != ']' || is_first); is_first = false) {
        if (*q == '\\' && q[1] != '\0')
            q++;
        unsigned char low = (unsigned char)*q++, high = low;
        if (*q == '-' && q[1] != ']' && q[1] != '\0') {
            q++;
            if (*q == '\\' && q[1] != '\0')
                q++;
            high = (unsigned char)*q++;
        }
        is_in |= c >= low && c <= high;
    }
    *ret_end = *q == ']' ? q + 1 : NULL;
    return is_in != is_not && c != '/';
}

/* One character of the pattern other than a star. *ret_next: the pattern after it. */
static bool one_matches(const char *p, char c, const char **ret_next)
{
    const char *end;
    *ret_next = p + 1;
    switch (*p) {
    case '?':
        return c != '/';
    case '\\':
        *ret_next = p + (p[1] != '\0' ? 2 : 1);
        return c == (p[1] != '\0' ? p[1] : '\\');
    case '[': {
        bool is_in = class_has(p, (unsigned char)c, &end);
        if (end == NULL)
            return c == '[';
        *ret_next = end;
        return is_in;
    }
    default:
        return c == *p;
    }
}

static bool glob(const char *p, const char *s, const char *pattern, unsigned *steps);

static bool stars(const char *p, const char *s, const char *pattern, unsigned *steps)
{
    bool at_start = p == pattern || p[-1] == '/';
    bool is_deep = at_start && p[1] == '*' && (p[2] == '/' || p[2] == '\0');
    while (*p == '*')
        p++;
    if (is_deep && *p == '/') {
        /* "**" and the slash stand for any number of whole parts, none included */
        for (const char *part = s; part != NULL; part = strchr(part, '/'), part += part != NULL) {
            if (glob(p + 1, part, pattern, steps))
                return true;
        }
        return false;
    }
    if (is_deep)
        return *s != '\0'; /* the rest, whatever it is */
    for (;; s++) {
        if (glob(p, s, pattern, steps))
            return true;
        if (*s == '\0' || *s == '/')
            return false;
    }
}

static bool glob(const char *p, const char *s, const char *pattern, unsigned *steps)
{
    for (; *p != '\0'; s++) {
        const char *next;
        if (++*steps > STEPS_MAX)
            return false;
        if (*p == '*')
            return stars(p, s, pattern, steps);
        if (*s == '\0' || !one_matches(p, *s, &next))
            return false;
        p = next;
    }
    return *s == '\0';
}

bool ship_glob(const char *pattern, const char *text)
{
    unsigned steps = 0;
    return glob(pattern, text, pattern, &steps);
}

/* ---- rules ---- */

static void rule_done(struct ship_rule *r)
{
    mem_free(r->base);
    mem_free(r->pattern);
}

/* Blanks at the end do not count unless the last one is escaped; \r of foreign editors never. */
static size_t line_trim(const char *line, size_t len)
{
    if (len > 0 && line[len - 1] == '\r')
        len--;
    while (len > 0 && line[len - 1] == ' ' && !(len > 1 && line[len - 2] == '\\'))
        len--;
    return len;
}

static int rule_add(struct ship_rules *r, const char *base, const char *line, size_t len,
                    struct err *err)
{
    struct ship_rule rule = {0};
    len = line_trim(line, len);
    if (len == 0 || line[0] == '#')
        return 0;
    if (line[0] == '!') {
        rule.is_negated = true;
        line++;
        len--;
    }
    if (len > 0 && line[len - 1] == '/') {
        rule.is_dir_only = true;
        len--;
    }
    rule.is_anchored = memchr(line, '/', len) != NULL;
    if (len > 0 && line[0] == '/') {
        line++;
        len--;
    }
    if (len == 0)
        return 0;
    if (r->rules.len >= RULES_MAX)
        return err_set(err, BERR_TOO_LARGE, "more than %d ignore rules", RULES_MAX);
    rule.base = mem_strdup(base);
    rule.pattern = mem_strndup(line, len);
    struct ship_rule *slot = rule.base != NULL && rule.pattern != NULL ? vec_push(&r->rules) : NULL;
    if (slot == NULL) {
        rule_done(&rule);
        return err_set(err, BERR_NOMEM, "out of memory");
    }
    *slot = rule;
    return 0;
}

int ship_rules_add(struct ship_rules *r, const char *base, const char *text, size_t len,
                   struct err *err)
{
    const char *end = text + len;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3; /* a byte order mark */
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = newline != NULL ? newline : end;
        if (memchr(text, '\0', (size_t)(line_end - text)) == NULL) {
            int rc = rule_add(r, base, text, (size_t)(line_end - text), err);
            if (rc != 0)
                return rc;
        }
        text = line_end + 1;
    }
    return 0;
}

void ship_rules_truncate(struct ship_rules *r, size_t count)
{
    while (r->rules.len > count)
        rule_done(&r->rules.items[--r->rules.len]);
}

void ship_rules_done(struct ship_rules *r)
{
    ship_rules_truncate(r, 0);
    vec_done(&r->rules);
}

static bool rule_matches(const struct ship_rule *rule, const char *path, bool is_dir)
{
    size_t base_len = strlen(rule->base);
    if (rule->is_dir_only && !is_dir)
        return false;
    if (base_len > 0) {
        if (strncmp(path, rule->base, base_len) != 0 || path[base_len] != '/')
            return false;
        path += base_len + 1;
    }
    if (!rule->is_anchored) {
        const char *slash = strrchr(path, '/');
        path = slash != NULL ? slash + 1 : path;
    }
    return ship_glob(rule->pattern, path);
}

bool ship_is_ignored(const struct ship_rules *r, const char *path, bool is_dir)
{
    for (size_t i = r->rules.len; i-- > 0;) {
        if (rule_matches(&r->rules.items[i], path, is_dir))
            return !r->rules.items[i].is_negated;
    }
    return false;
}
