/*
 * replay: the main of a fuzz target in ordinary builds. Runs LLVMFuzzerTestOneInput on every file of
 * the folder given, and on a few inputs that every parser meets: nothing, one byte, all byte values.
 *
 *     fuzz_units corpus/units
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly the input's size, so that a sanitizer sees the first byte read past its end. */
static void run_one(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        fprintf(stderr, "replay: out of memory\n");
        exit(2);
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int run_file(int folder, const char *name, uint8_t *room)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "replay: %s: %s\n", name, strerror(errno));
        return -1;
    }
    size_t size = 0;
    ssize_t got;
    while (size < INPUT_MAX && (got = read(fd, room + size, INPUT_MAX - size)) > 0) {
        size += (size_t)got;
    }
    close(fd);
    /* A crash leaves this as the last line. */
    printf("%s (%zu bytes)\n", name, size);
    fflush(stdout);
    run_one(room, size);
    return 0;
}

int main(int argc, char **argv)
{
    uint8_t all[256];
    for (int i = 0; i < 256; i++) {
        all[i] = (uint8_t)i;
        run_one(&all[i], 1);
    }
    run_one(all, 0);
    run_one(all, sizeof(all));
    if (argc < 2) {
        return 0;
    }
    DIR *dir = opendir(argv[1]);
    uint8_t *room = malloc(INPUT_MAX);
    if (dir == NULL || room == NULL) {
        fprintf(stderr, "replay: %s: %s\n", argv[1], strerror(errno));
        return 2;
    }
    int failed = 0;
    int count = 0;
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            failed |= run_file(dirfd(dir), entry->d_name, room) != 0;
            count++;
        }
    }
    closedir(dir);
    free(room);
    printf("%d inputs\n", count);
    return failed ? 2 : 0;
}
