/*
 * static: a site of fixed files, in memory: pages built into a program or read from a directory at
 * start. Answers GET and HEAD with type, strong ETag (SHA-256 of the content), 304, gzip where a
 * compressed form is there and accepted, and Cache-Control: for ever for files below /assets/,
 * whose names change with their content, else "check each time". "/x/" is "/x/index.html".
 *
 * A site is not changed after it was made and owns nothing of the assets given to static_site_new
 * (they must outlive it); static_site_load owns what it read. Loop thread.
 */
#ifndef BERTH_HTTP_STATIC_H
#define BERTH_HTTP_STATIC_H

#include "http/server.h"

struct static_asset {
    const char *path; /* "/login.html" */
    const void *data;
    size_t len;
    const void *gzip; /* NULL: none */
    size_t gzip_len;
};

#define STATIC_FILES_MAX  4096
#define STATIC_FILE_BYTES (32u << 20)

struct static_site;
int static_site_new(const struct static_asset *assets, size_t count, struct static_site **ret,
                    struct err *err);
/* Reads all files below dir; "a.js.gz" beside "a.js" is its compressed form. Names that begin with
 * a dot are left out; links are not followed. */
int static_site_load(const char *dir, struct static_site **ret, struct err *err);
struct static_site *static_site_free(struct static_site *s); /* NULL allowed */

/* Answers and ends the request when the site has its path, else returns false and does nothing.
 * Headers of the caller's (http_reply_header) go along. */
bool static_serve(const struct static_site *s, struct http_request *req);
/* The same for a fixed path, whatever the request's is: a page of a program without pages. */
bool static_serve_path(const struct static_site *s, const char *path, struct http_request *req);

/* "text/html; charset=utf-8" from a name's ending; application/octet-stream when unknown. */
const char *static_type(const char *path);

#endif
