/*
 * limits: the maximum of everything, in one place. Units are in the names; a number without a
 * unit counts things.
 */
#ifndef BERTH_BASE_LIMITS_H
#define BERTH_BASE_LIMITS_H

/* http */
#define LIMIT_HTTP_HEAD_BYTES       (16 * 1024)
#define LIMIT_HTTP_HEADERS          64
#define LIMIT_HTTP_URL_BYTES        (8 * 1024)
#define LIMIT_HTTP_BODY_BYTES       (1024 * 1024) /* a JSON body */
#define LIMIT_HTTP_UPLOAD_BYTES     (16ull << 30) /* a streamed upload */
#define LIMIT_HTTP_HEAD_TIMEOUT_MS  10000
#define LIMIT_HTTP_BODY_IDLE_MS     30000
#define LIMIT_HTTP_KEEPALIVE_MS     75000
#define LIMIT_HTTP_WRITE_IDLE_MS    60000
#define LIMIT_HTTP_CONNECTIONS      16384
#define LIMIT_HTTP_OUT_BUFFER_BYTES (1024 * 1024) /* unsent answer before a stream pauses */
#define LIMIT_WS_HEADER_ONLY        1

/* documents */
#define LIMIT_DOC_BYTES       (1024 * 1024) /* JSON or YAML text */
#define LIMIT_DOC_DEPTH       32
#define LIMIT_DOC_NODES       100000
#define LIMIT_YAML_ALIASES    100
#define LIMIT_LONG_TEXT_BYTES (128 * 1024) /* one argument or variable: MAX_ARG_STRLEN */

/* domain */
#define LIMIT_NAME                 63
#define LIMIT_TEXT                 1024 /* a reason, a message */
#define LIMIT_ROLES                16
#define LIMIT_REPLICAS             4096
#define LIMIT_TASKS_PER_ATTEMPT    4096
#define LIMIT_GPUS_PER_NODE        64
#define LIMIT_COMMAND_ARGS         1024
#define LIMIT_COMMAND_BYTES        (128 * 1024)
#define LIMIT_ENV_VARS             512
#define LIMIT_VOLUMES_PER_WORKLOAD 32
#define LIMIT_PAGE_ITEMS           1000
#define LIMIT_PAGE_DEFAULT         100
#define LIMIT_WORKLOADS_WAITING    200000
#define LIMIT_RETRY_MAX            100

/* runner */
#define LIMIT_RUNNER_MESSAGE_BYTES (256 * 1024)
#define LIMIT_RUNNER_CLIENTS       16

/* images */
#define LIMIT_LAYER_BYTES   (64ull << 30) /* unpacked */
#define LIMIT_LAYER_ENTRIES 2000000

/* code shipping */
#define LIMIT_CODE_BYTES      (2ull << 30)
#define LIMIT_CODE_FILES      50000
#define LIMIT_CODE_PATH_BYTES 1024
#define LIMIT_CODE_DEPTH      32

/* store */
#define LIMIT_STORE_PENDING       65536
#define LIMIT_STORE_FULL_RETRY_MS 500

/* gateway */
#define LIMIT_ROUTES     100000
#define LIMIT_VERDICTS   100000
#define LIMIT_VERDICT_MS 600000

/* watching */
#define LIMIT_WATCHERS              4096
#define LIMIT_EVENTS_KEPT_IN_MEMORY 65536

#endif
