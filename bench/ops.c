// SPDX-License-Identifier: MIT
// The operations that `make bench` compares: what a process pays for the kernel's most common
// services. Built statically and started as the only program of an initrd (/init), the same file on
// bare Linux, on Xen and on Wirt. It prints "BENCH name ns" for each operation, the median of
// ROUND_COUNT rounds after a warm-up, and powers the machine off.
// With QEMU's -icount shift=0 the clock counts instructions, so the same figures are instructions.
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    ROUND_COUNT = 7,
    PAGE_BYTES = 4096,
    FAULT_PAGES = 256,
    PROTECT_PAGES = 64,
};

struct operation {
    const char *name;
    void (*run)(unsigned int count); /* do the operation count times */
    unsigned int count;              /* per round; a round should take some milliseconds */
};

static char *protect_area;
static int pipe_request[2];
static int pipe_answer[2];

// A failing system call would make the figures meaningless: say so and stop there.
static void must(int ok, const char *what)
{
    if (ok)
        return;
    printf("BENCH failed: %s: %m\n", what);
    fflush(stdout);
    reboot(RB_POWER_OFF);
    _exit(1);
}

static char *map_pages(size_t pages)
{
    char *area =
        mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    must(area != MAP_FAILED, "mmap");
    return area;
}

static void touch_pages(char *area, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        *(volatile char *)(area + i * PAGE_BYTES) = 1;
}

static void run_syscall(unsigned int count)
{
    while (count--)
        syscall(SYS_getppid);
}

static void on_signal(int number)
{
    (void)number;
}

static void run_signal(unsigned int count)
{
    pid_t self = getpid();

    while (count--)
        must(kill(self, SIGUSR1) == 0, "kill");
}

static void run_fork(unsigned int count)
{
    while (count--) {
        pid_t child = fork();

        must(child >= 0, "fork");
        if (child == 0)
            _exit(0);
        must(waitpid(child, NULL, 0) == child, "waitpid");
    }
}

static void run_exec(unsigned int count)
{
    static char *const arguments[] = {"/init", "exit", NULL};
    static char *const environment[] = {NULL};

    while (count--) {
        pid_t child = fork();

        must(child >= 0, "fork");
        if (child == 0) {
            execve("/init", arguments, environment);
            _exit(1);
        }
        must(waitpid(child, NULL, 0) == child, "waitpid");
    }
}

// One count is one page; the area's own mmap and munmap are spread over FAULT_PAGES of them.
static void run_fault(unsigned int count)
{
    for (; count >= FAULT_PAGES; count -= FAULT_PAGES) {
        char *area = map_pages(FAULT_PAGES);

        touch_pages(area, FAULT_PAGES);
        must(munmap(area, FAULT_PAGES * PAGE_BYTES) == 0, "munmap");
    }
}

static void run_protect(unsigned int count)
{
    size_t bytes = PROTECT_PAGES * PAGE_BYTES;

    while (count--) {
        must(mprotect(protect_area, bytes, PROT_READ) == 0, "mprotect");
        must(mprotect(protect_area, bytes, PROT_READ | PROT_WRITE) == 0, "mprotect");
        touch_pages(protect_area, PROTECT_PAGES);
    }
}

static void run_pipe(unsigned int count)
{
    char byte = 0;

    while (count--) {
        must(write(pipe_request[1], &byte, 1) == 1, "pipe write");
        must(read(pipe_answer[0], &byte, 1) == 1, "pipe read");
    }
}

static void run_file(unsigned int count)
{
    static const char text[1024];

    while (count--) {
        int file = open("/tmp/file", O_CREAT | O_WRONLY | O_TRUNC, 0600);

        must(file >= 0, "open");
        must(write(file, text, sizeof(text)) == sizeof(text), "write");
        must(close(file) == 0, "close");
        must(unlink("/tmp/file") == 0, "unlink");
    }
}

static const struct operation operations[] = {
    {"syscall", run_syscall, 20000}, {"signal", run_signal, 2000},
    {"fork_exit", run_fork, 60},     {"fork_exec", run_exec, 20},
    {"page_fault", run_fault, 4096}, {"mprotect", run_protect, 100},
    {"pipe", run_pipe, 1000},        {"file", run_file, 500},
};

static void pipe_partner(void)
{
    char byte;

    close(pipe_request[1]);
    while (read(pipe_request[0], &byte, 1) == 1)
        must(write(pipe_answer[1], &byte, 1) == 1, "pipe answer");
    _exit(0);
}

static void prepare(void)
{
    pid_t partner;

    signal(SIGUSR1, on_signal);
    mkdir("/tmp", 0700);
    must(mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0, "mount tmpfs");
    protect_area = map_pages(PROTECT_PAGES);
    touch_pages(protect_area, PROTECT_PAGES);
    must(pipe(pipe_request) == 0 && pipe(pipe_answer) == 0, "pipe");
    partner = fork();
    must(partner >= 0, "fork");
    if (partner == 0)
        pipe_partner();
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static uint64_t measure(const struct operation *operation)
{
    uint64_t rounds[ROUND_COUNT];

    operation->run(operation->count);
    for (int i = 0; i < ROUND_COUNT; i++) {
        uint64_t start = now_ns();

        operation->run(operation->count);
        rounds[i] = (now_ns() - start) / operation->count;
    }
    qsort(rounds, ROUND_COUNT, sizeof(rounds[0]), compare);
    return rounds[ROUND_COUNT / 2];
}

int main(int argument_count, char **arguments)
{
    if (argument_count > 1 && strcmp(arguments[1], "exit") == 0)
        _exit(0);
    prepare();
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        printf("BENCH %s %llu\n", operations[i].name, (unsigned long long)measure(&operations[i]));
        fflush(stdout);
    }
    puts("BENCH end 0");
    fflush(stdout);
    sync();
    reboot(RB_POWER_OFF);
    return 0;
}
