/*
 * ship/ignore: which files stay at home — the rules of gitignore(5): blank lines and # comments,
 * trailing blanks unless escaped, ! takes a file back, a slash at the start or in the middle binds
 * to the directory of the rules, a slash at the end means directories only, * ? [a-z] [!a-z] within
 * a part, ** across parts, \ escapes. The last rule that matches decides; what lies below an
 * ignored directory can't be taken back.
 *
 * Owns copies of its lines. One thread at a time.
 */
#ifndef BERTH_SHIP_IGNORE_H
#define BERTH_SHIP_IGNORE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/vec.h"

struct ship_rule;
struct ship_rules {
    VEC(struct ship_rule) rules;
};
#define SHIP_RULES ((struct ship_rules){0})

/* Adds the lines of a file that lies in directory `base` ("" for the top, "sub/dir" below). NOMEM;
 * TOO_LARGE past 10000 rules. */
int ship_rules_add(struct ship_rules *r, const char *base, const char *text, size_t len,
                   struct err *err);
/* Drops the rules after the first `count`: when a walk leaves a directory. */
void ship_rules_truncate(struct ship_rules *r, size_t count);
void ship_rules_done(struct ship_rules *r);

/* path: relative to the top, without a slash at the end; its parents are known not to be ignored. */
bool ship_is_ignored(const struct ship_rules *r, const char *path, bool is_dir);

/* One glob against one text with the meaning above. */
bool ship_glob(const char *pattern, const char *text);

#endif
