/*
 * etc: the files in a container's root that make it a home for one user: passwd, group, shadow,
 * sudoers.d/berth, hosts, hostname, resolv.conf, and the directories a program expects. Works
 * below a descriptor of the root, as container root; what cannot be written is left (the command
 * may well run without), so nothing here fails.
 */
#ifndef BERTH_INIT_ETC_H
#define BERTH_INIT_ETC_H

#include <stddef.h>
#include "init/conf.h"

void etc_write(int root_fd, const struct conf *conf);
/* Home and work directory, the user's. */
void etc_make_dirs(int root_fd, const struct conf *conf);

/* `old` (may be NULL) with `line` in front and without lines that name the same thing (up to the
 * first colon). At most size bytes, NUL-terminated; the length. */
size_t etc_put_line(char *dst, size_t size, const char *old, const char *line);

#endif
