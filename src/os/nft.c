#include "os/nft.h"
#include <string.h>
#include <nftables/libnftables.h>
#include "base/check.h"

int os_nft_run(const char *rules, struct err *err)
{
    struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
    if (ctx == NULL)
        return err_set(err, BERR_NOMEM, "no memory for nftables");
    nft_ctx_buffer_error(ctx);
    nft_ctx_buffer_output(ctx);
    int rc = nft_run_cmd_from_buffer(ctx, rules);
    if (rc != 0) {
        const char *words = nft_ctx_get_error_buffer(ctx);
        int len = words != NULL ? (int)strcspn(words, "\n") : 0;
        rc = err_set(err, BERR_IO, "nftables refused the rules: %.*s", len,
                     words != NULL ? words : "");
    }
    nft_ctx_free(ctx);
    return rc;
}
