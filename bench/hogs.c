// SPDX-License-Identifier: MIT
// What bare Linux leaves for processes that only calculate: the only program of an initrd (/init),
// beside the busy guests of sched/main.c, with the same loop. It prints "BENCH lost_... n": of a
// million instructions those that are not such processes' own. Needs QEMU's -icount shift=0, and
// one CPU: with that clock bare Linux does not get its second one started.
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

enum { HOGS = 8, HOG_NOPS = 400, HOG_INSTRUCTIONS = HOG_NOPS + 2, CACHE_LINE = 64 };

struct counter {
    volatile uint64_t units;
    char line[CACHE_LINE - sizeof(uint64_t)];
};

static struct counter *counters;

static void must(int ok, const char *what)
{
    if (ok)
        return;
    printf("BENCH failed: %s: %m\n", what);
    fflush(stdout);
    reboot(RB_POWER_OFF);
    _exit(1);
}

static void hog(struct counter *mine)
{
    for (;;)
        asm volatile(".rept %c1; nop; .endr; incq %0" : "+m"(mine->units) : "i"(HOG_NOPS));
}

static uint64_t all_units(int count)
{
    uint64_t sum = 0;

    for (int i = 0; i < count; i++)
        sum += counters[i].units;
    return sum;
}

static void sleep_ms(unsigned int ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    nanosleep(&time, NULL);
}

static void measure(const char *name, int count)
{
    pid_t child[HOGS];
    uint64_t ticks, units;

    for (int i = 0; i < count; i++) {
        child[i] = fork();
        must(child[i] >= 0, "fork");
        if (child[i] == 0)
            hog(&counters[i]);
    }
    sleep_ms(200);
    ticks = -__rdtsc();
    units = -all_units(count);
    sleep_ms(1000);
    ticks += __rdtsc();
    units += all_units(count);
    printf("BENCH %s %llu\n", name,
           (unsigned long long)((ticks - units * HOG_INSTRUCTIONS) * 1000000 / ticks));
    fflush(stdout);
    for (int i = 0; i < count; i++) {
        kill(child[i], SIGKILL);
        waitpid(child[i], NULL, 0);
    }
}

int main(void)
{
    counters = mmap(NULL, HOGS * sizeof(*counters), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(counters != MAP_FAILED, "mmap");
    measure("lost_1", 1);
    measure("lost_8_1cpu", HOGS);
    puts("BENCH end 0");
    fflush(stdout);
    reboot(RB_POWER_OFF);
    return 0;
}
