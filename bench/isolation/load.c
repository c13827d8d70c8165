// SPDX-License-Identifier: MIT
// What the guests of the isolation benchmark do, and the client of the web server. One static
// program:
//   load db DEVICE RATE SECONDS DEADLINE    transactions on a disk: four random reads, a
//   calculation, two
//                                   synchronous writes; prints a line of figures
//   load web ADDRESS RATE SECONDS DEADLINE  fetches /page from a web server; prints the same
//   load flood DIRECTORY            for ever: many small files with sync, and a stream of large
//   writes load bomb                       for ever: a fork bomb, and a process that touches all
//   memory load tcp|udp ADDRESS PORT SECONDS   sends as fast as it may
// db and web are paced: CLIENTS processes share RATE arrivals a second, at random moments that do
// not depend on how fast the answers come, and a latency counts from its arrival. The line of
// figures: arrivals, done, done within DEADLINE ms, and the 50th, 90th, 99th and 100th percentile
// in us.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 4, SAMPLES_MAX = 100000 };
enum { BLOCK = 4096, READS = 4, WORK_BYTES = 65536, WORK_ROUNDS = 2, LOG_BLOCKS = 256 };
enum { FILES = 200, FILE_BYTES = 1024, STREAM_BYTES = 65536, STREAM_BLOCKS = 128 };
enum { BOMB_USER = 65534, BOMB_PROCESSES = 60 };

static struct {
    unsigned int count;
    uint32_t us[SAMPLES_MAX];
} * shared;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % n;
}

// ---- paced work ------------------------------------------------------------------------------

struct job {
    const char *target;
    bool (*once)(const struct job *job); // one arrival; false: it failed
    void (*open)(struct job *job);       // in each client
    int file;
    char *block;
    uint64_t blocks;
};

// One client's arrivals, one in each `gap`.
static void client(struct job *job, uint64_t start, uint64_t gap, unsigned int count)
{
    if (job->open)
        job->open(job);
    for (unsigned int i = 0; i < count; i++) {
        uint64_t arrival = start + i * gap + random_below(gap);

        sleep_until(arrival);
        if (!job->once(job))
            continue;
        shared->us[__atomic_fetch_add(&shared->count, 1, __ATOMIC_RELAXED)] =
            (uint32_t)((now_ns() - arrival) / 1000);
    }
    exit(0);
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void report(unsigned int arrivals, unsigned int deadline_ms)
{
    static const unsigned int permille[] = {500, 900, 990, 1000};
    unsigned int n = shared->count, in_time = 0;

    qsort(shared->us, n, sizeof(shared->us[0]), by_size);
    while (in_time < n && shared->us[in_time] <= deadline_ms * 1000)
        in_time++;
    printf("%u %u %u", arrivals, n, in_time);
    for (unsigned int i = 0; i < 4; i++)
        printf(" %u", n ? shared->us[(uint64_t)(n - 1) * permille[i] / 1000] : 0);
    printf("\n");
}

static int paced(struct job *job, char **words)
{
    unsigned int rate = (unsigned int)atoi(words[0]), seconds = (unsigned int)atoi(words[1]);
    unsigned int count = rate * seconds / CLIENTS;

    if (!rate || count > SAMPLES_MAX / CLIENTS)
        return 2;

    uint64_t gap = 1000000000ull * CLIENTS / rate, start = now_ns() + 20000000;

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        die("mmap");
    for (unsigned int i = 0; i < CLIENTS; i++) {
        random_state = i + 1;
        if (fork() == 0)
            client(job, start + i * gap / CLIENTS, gap, count);
    }
    while (wait(NULL) > 0)
        ;
    report(count * CLIENTS, (unsigned int)atoi(words[2]));
    return 0;
}

// ---- a database ------------------------------------------------------------------------------

static void db_open(struct job *job)
{
    uint64_t bytes;

    job->file = open(job->target, O_RDWR | O_DIRECT);
    job->block = mmap(NULL, WORK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (job->file < 0 || job->block == MAP_FAILED || ioctl(job->file, BLKGETSIZE64, &bytes) != 0)
        die(job->target);
    job->blocks = bytes / BLOCK;
}

static bool db_transaction(const struct job *job)
{
    uint64_t hash = 14695981039346656037u, block = 0;
    bool good = true;

    for (unsigned int i = 0; i < READS; i++) {
        block = LOG_BLOCKS + random_below(job->blocks - LOG_BLOCKS);
        good &= pread(job->file, job->block, BLOCK, (off_t)block * BLOCK) == BLOCK;
    }
    for (unsigned int i = 0; i < WORK_ROUNDS * WORK_BYTES; i++)
        hash = (hash ^ (unsigned char)job->block[i % WORK_BYTES]) * 1099511628211u;
    memcpy(job->block, &hash, sizeof(hash));
    good &= pwrite(job->file, job->block, BLOCK, (off_t)random_below(LOG_BLOCKS) * BLOCK) == BLOCK;
    good &= fdatasync(job->file) == 0;
    good &= pwrite(job->file, job->block, BLOCK, (off_t)block * BLOCK) == BLOCK;
    return good && fdatasync(job->file) == 0;
}

// ---- the web server's client -----------------------------------------------------------------

static int connect_to(const char *address, uint16_t port, int type)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval patience = {.tv_sec = 5};
    int link = socket(AF_INET, type, 0);

    inet_pton(AF_INET, address, &to.sin_addr);
    setsockopt(link, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(link, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(link, (struct sockaddr *)&to, sizeof(to)) == 0)
        return link;
    close(link);
    return -1;
}

static bool web_request(const struct job *job)
{
    static const char request[] = "GET /page HTTP/1.0\r\n\r\n";
    char answer[4096];
    ssize_t got, all = 0;
    int link = connect_to(job->target, 80, SOCK_STREAM);

    if (link < 0)
        return false;
    if (write(link, request, sizeof(request) - 1) == sizeof(request) - 1)
        while ((got = read(link, answer, sizeof(answer))) > 0)
            all += got;
    close(link);
    return all > 8192; // of /page
}

// ---- antisocial guests -----------------------------------------------------------------------

static void small_files(void)
{
    char name[32], text[FILE_BYTES] = "x";

    for (unsigned int i = 0;; i++) {
        snprintf(name, sizeof(name), "file%u", i % FILES);
        unlink(name);
        int file = open(name, O_CREAT | O_WRONLY, 0600);
        if (write(file, text, sizeof(text)) < 0)
            die(name);
        close(file);
        if (i % 20 == 19)
            sync();
    }
}

static void stream(void)
{
    char *text =
        mmap(NULL, STREAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int file = open("stream", O_CREAT | O_RDWR | O_DIRECT, 0600);

    for (unsigned int i = 0;; i++)
        if (pwrite(file, text, STREAM_BYTES, (off_t)(i % STREAM_BLOCKS) * STREAM_BYTES) !=
            STREAM_BYTES)
            die("stream");
}

static int flood(const char *directory)
{
    if (chdir(directory) != 0)
        die(directory);
    if (fork() == 0)
        stream();
    small_files();
    return 1;
}

// Every child forks, too. When there may be no more processes all but the first end, and it begins
// again.
static _Noreturn void fork_bomb(void)
{
    bool first = true;

    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        pid_t child = fork();

        if (child == 0)
            first = false;
        if (child < 0 && !first)
            _exit(0);
    }
}

static size_t free_bytes(void)
{
    char text[512], *at;
    int file = open("/proc/meminfo", O_RDONLY);
    ssize_t got = read(file, text, sizeof(text) - 1);

    close(file);
    text[got > 0 ? got : 0] = 0;
    at = strstr(text, "MemAvailable:");
    return at ? strtoul(at + 13, NULL, 10) * 1024 : 0;
}

// Most of what is free, page by page; given back, and again.
static _Noreturn void touch_memory(void)
{
    for (;;) {
        size_t size = free_bytes() / 4 * 3;
        char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        for (size_t i = 0; memory != MAP_FAILED && i < size; i += BLOCK)
            memory[i] = 1;
        if (memory != MAP_FAILED)
            munmap(memory, size);
    }
}

static void bomb_as_user(void)
{
    struct rlimit limit = {BOMB_PROCESSES, BOMB_PROCESSES};

    setrlimit(RLIMIT_NPROC, &limit);
    if (setgid(BOMB_USER) != 0 || setuid(BOMB_USER) != 0)
        die("setuid");
    fork_bomb();
}

// What runs out of memory is killed, and begins again.
static _Noreturn void keep(void (*what)(void))
{
    for (;;) {
        if (fork() == 0)
            what();
        wait(NULL);
    }
}

static _Noreturn void bomb(void)
{
    if (fork() == 0)
        keep(bomb_as_user);
    keep(touch_memory);
}

// ---- the network -----------------------------------------------------------------------------

static int send_all(const char *kind, const char *address, uint16_t port, unsigned int seconds)
{
    static char text[65536];
    bool tcp = strcmp(kind, "tcp") == 0;
    int link = connect_to(address, port, tcp ? SOCK_STREAM : SOCK_DGRAM);
    uint64_t end = now_ns() + seconds * 1000000000ull;

    if (link < 0)
        die(address);
    while (now_ns() < end)
        if (write(link, text, tcp ? sizeof(text) : 1472) < 0 && tcp)
            die(kind);
    return 0;
}

int main(int argc, char **argv)
{
    const char *role = argc > 1 ? argv[1] : "";

    if (strcmp(role, "db") == 0 && argc == 6) {
        struct job job = {.target = argv[2], .open = db_open, .once = db_transaction};

        return paced(&job, argv + 3);
    }
    if (strcmp(role, "web") == 0 && argc == 6) {
        struct job job = {.target = argv[2], .once = web_request};

        return paced(&job, argv + 3);
    }
    if (strcmp(role, "flood") == 0 && argc == 3)
        return flood(argv[2]);
    if (strcmp(role, "bomb") == 0)
        bomb();
    if ((strcmp(role, "tcp") == 0 || strcmp(role, "udp") == 0) && argc == 5)
        return send_all(role, argv[2], (uint16_t)atoi(argv[3]), (unsigned int)atoi(argv[4]));
    fprintf(stderr, "load: no such role: %s\n", role);
    return 2;
}
