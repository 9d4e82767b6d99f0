/*
 * ship/walk: makes the manifest of a directory. Ignored are .git, .hg, .svn, __pycache__ and
 * .ipynb_checkpoints, and what .gitignore and .berthignore (read after it, so that it has the last
 * word) of each directory say. Sockets, devices and pipes are left out; links are kept as links
 * and must stay inside. Files are opened below the directory's descriptor and never through links.
 *
 * Blocks. Strings and entries live in the arena.
 */
#ifndef BERTH_SHIP_WALK_H
#define BERTH_SHIP_WALK_H

#include "ship/manifest.h"

struct ship_limits {
    uint64_t max_bytes; /* 0: LIMIT_CODE_BYTES */
    size_t max_files;   /* 0: LIMIT_CODE_FILES */
};

/* NOT_FOUND or INVALID for what is no directory; TOO_LARGE names the largest files and hints at
 * .berthignore; INVALID for names that are not UTF-8 and links that lead outside. */
int ship_walk(const char *dir_path, const struct ship_limits *limits, struct arena *arena,
              struct ship_manifest *ret, struct err *err);
/* Opens a file of the manifest for sending; CONFLICT when its size is another by now. */
int ship_open(const char *dir_path, const struct ship_entry *entry, int *ret_fd, struct err *err);

#endif
