/*
 * pages: the files of web/, as they were when the program was built. Constant.
 */
#ifndef BERTH_GATEWAY_PAGES_H
#define BERTH_GATEWAY_PAGES_H

#include <stddef.h>
#include "http/static.h"

extern const struct static_asset pages_assets[];
extern const size_t pages_asset_count;

#endif
