/*
 * os/nft: hands rules in nft's own language to the kernel, all or none. The words of a failure go
 * into the error. One thread.
 */
#ifndef BERTH_OS_NFT_H
#define BERTH_OS_NFT_H

#include "base/err.h"

int os_nft_run(const char *rules, struct err *err);

#endif
