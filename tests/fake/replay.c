// SPDX-License-Identifier: MIT
// Gives the files named on the command line to a fuzz target, one after the other, as tests of the
// TAP kind; the empty input comes first. A target that fails ends the program.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(int number, const char *name, FILE *f)
{
    // Exactly as large as the input, so that the sanitizer sees reads beyond it.
    size_t size = 0;
    if (f && !fseek(f, 0, SEEK_END))
        size = (size_t)ftell(f);
    uint8_t *data = malloc(size ? size : 1);
    if (!data || (size && (fseek(f, 0, SEEK_SET) || fread(data, 1, size, f) != size)))
        abort();
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    printf("ok %d - %s\n", number, name);
    fflush(stdout);
}

__attribute__((weak)) int main(int argc, char **argv)
{
    replay(1, "empty input", NULL);
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        if (!f) {
            perror(argv[i]);
            return 1;
        }
        replay(i + 1, argv[i], f);
        fclose(f);
    }
    return 0;
}
