// SPDX-License-Identifier: MIT
// What a test kernel may use. A test is one tests/guest/NAME/main.c that defines test_title and
// test_main; everything below is set up before test_main runs on vCPU 0 with event upcalls masked.
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#include <stdarg.h>

#include "lib/hypercall.h"
#include "lib/layout.h"

// ---- the test's own side -------------------------------------------------------------------

extern const char test_title[];
void test_main(void);

// ---- checks: a failed one is printed and counted, the test goes on --------------------------

void check_report(bool ok, const char *file, int line, const char *what, long got, long want);
_Noreturn void test_skip(const char *why);
_Noreturn void test_finish(void);
extern unsigned int shutdown_reason; // SHUTDOWN_* with which the kernel ends

#define CHECK(cond)                                              \
    ({                                                           \
        bool ok_ = (cond);                                       \
        check_report(ok_, __FILE__, __LINE__, #cond, ok_, true); \
        ok_;                                                     \
    })
#define CHECK_EQ(a, b)                                                              \
    ({                                                                              \
        long got_ = (long)(a), want_ = (long)(b);                                   \
        check_report(got_ == want_, __FILE__, __LINE__, #a " == " #b, got_, want_); \
        got_ == want_;                                                              \
    })
#define CHECK_RC(rc, want) CHECK_EQ(rc, want)
// For a step without which the rest makes no sense: fail and end.
#define REQUIRE(cond)      \
    do {                   \
        if (!CHECK(cond))  \
            test_finish(); \
    } while (0)

// ---- text and memory -------------------------------------------------------------------------

[[gnu::format(printf, 1, 2)]] void printk(const char *fmt, ...);
int vsnprintk(char *buf, size_t size, const char *fmt, va_list args);
void *memset(void *dst, int byte, size_t n);
void *memcpy(void *dst, const void *src, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
bool str_contains(const char *hay, const char *needle);
bool str_starts(const char *s, const char *prefix);

#define ARRAY_SIZE(a)    (sizeof(a) / sizeof((a)[0]))
#define PAGE_SIZE        4096ul
#define PAGE_MASK        (~(PAGE_SIZE - 1))
#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

// ---- start of day ----------------------------------------------------------------------------

struct boot_state {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rip, rflags, cs, ss, ds, es, fs, gs;
};
extern struct boot_state boot_state;    // registers at the entry point
extern struct start_info *start_info;   // as passed in %rsi
extern struct shared_info *shared_info; // mapped by the kit

// A domain that the test itself made (lib/domu.h).
static inline bool is_domu(void)
{
    return !(start_info->flags & SIF_INITDOMAIN);
}

// ---- CPUs and traps --------------------------------------------------------------------------

enum { X86_DE, X86_DB, X86_NMI, X86_BP, X86_OF, X86_BR, X86_UD, X86_NM, X86_DF };
enum { X86_TS = 10, X86_NP, X86_SS, X86_GP, X86_PF, X86_MF = 16, X86_AC, X86_MC, X86_XM };
enum { PFEC_P = 1, PFEC_W = 2, PFEC_U = 4, PFEC_RSVD = 8, PFEC_I = 16 };

struct frame {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector, error;
    uint64_t rip;
    uint32_t cs;
    uint8_t saved_mask, pad[3]; // PV: vcpu_info's upcall mask at the time of the trap
    uint64_t rflags, rsp, ss;
};

// What the last trap in a TRY() looked like; count is 0 when there was none.
struct trap {
    unsigned int count;
    uint64_t cr2;            // vcpu_info.arch.cr2 when the handler started
    uint8_t mask_in_handler; // evtchn_upcall_mask seen by the handler
    uint16_t ds, es, fs, gs; // failsafe callback only
    struct frame frame;
};

struct cpu {
    uint64_t resume_sp; // CPU_RESUME_SP
    unsigned int id;
    struct trap trap;
    struct trap user_exit; // how user_run() came back
    bool in_user;
    volatile unsigned int upcalls;
};

static inline struct cpu *this_cpu(void)
{
    uint64_t sp;

    asm("mov %%rsp, %0" : "=r"(sp));
    return (struct cpu *)(sp & ~(uint64_t)(CPU_BLOCK_SIZE - 1));
}

// Its master copy: shared_info's slot, or where the test registered another one.
extern struct vcpu_info *vcpu_info_of[CPU_MAX];

static inline struct vcpu_info *vcpu_info(void)
{
    return vcpu_info_of[this_cpu()->id];
}

// TRY(insn, operands...): run an instruction that may trap; gives the trap record. A fault resumes
// behind the instruction. The operands begin with their first colon: TRY("mov %0, %%cr3", : :
// "r"(x)).
#define TRY_TABLE(insn)         \
    "771: " insn "\n772: nop\n" \
    ".pushsection .ex_table, \"a\"\n.quad 771b, 772b\n.popsection\n"
#define TRY(insn, ...)                             \
    ({                                             \
        this_cpu()->trap.count = 0;                \
        asm volatile("" : : : "memory");           \
        asm volatile(TRY_TABLE(insn) __VA_ARGS__); \
        asm volatile("" : : : "memory");           \
        (const struct trap *)&this_cpu()->trap;    \
    })
#define CHECK_NO_TRAP(t) CHECK_EQ((t)->count ? (long)(t)->frame.vector : -1, -1)
// Exactly one trap of that vector and error code, with the saved frame at the instruction.
#define CHECK_TRAP(t, vec, err)                                      \
    ({                                                               \
        const struct trap *t_ = (t);                                 \
        CHECK_EQ(t_->count, 1) && CHECK_EQ(t_->frame.vector, vec) && \
            CHECK_EQ(t_->frame.error, err);                          \
    })

const struct trap *try_read(const void *va, uint64_t *value);
const struct trap *try_write(void *va, uint64_t value);
const struct trap *try_exec(const void *va); // calls code there (must be a "ret")

// A test may take over: return true when the frame was handled.
extern bool (*trap_hook)(struct frame *frame);

// The kit's trap table (all vectors 0..31 and 0x80); a test may edit and reload it.
extern struct trap_info trap_table[];
extern const unsigned int trap_table_size; // entries without the sentinel
struct trap_info *trap_table_entry(unsigned int vector);

extern char event_entry[], syscall_entry[], syscall32_entry[], failsafe_entry[], nmi_entry[];
extern uint64_t trap_stubs[]; // address of the stub for each vector 0..255
long register_callback(unsigned int type, unsigned int flags, const void *address);

// ---- iret hypercall ----------------------------------------------------------------------------

struct iret_probe {
    uint64_t rax, rcx, r11, rflags, rsp, cs, ss;
};
// Execute the iret hypercall with this context, except that rip is replaced by a recorder which
// stores what arrived in out and comes back here. Kernel to kernel only.
void iret_probe(struct iret_context *ctx, struct iret_probe *out);

// ---- memory
// --------------------------------------------------------------------------------------

#define PTE_P      0x001ul
#define PTE_W      0x002ul
#define PTE_U      0x004ul
#define PTE_PWT    0x008ul
#define PTE_PCD    0x010ul
#define PTE_A      0x020ul
#define PTE_D      0x040ul
#define PTE_PSE    0x080ul
#define PTE_PAT    0x080ul
#define PTE_G      0x100ul
#define PTE_AVAIL0 0x200ul
#define PTE_NX     (1ul << 63)
#define PTE_ADDR   0x000ffffffffff000ul
#define PTE_RW     (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define PTE_RO     (PTE_P | PTE_U | PTE_A | PTE_D)

// G is the hypervisor's to set or clear: no test looks at it.
#define CHECK_PTE(got, want) CHECK_EQ((got) & ~PTE_G, (want) & ~PTE_G)

static inline uint64_t mfn_pte(uint64_t mfn, uint64_t flags)
{
    return (mfn << 12) | flags;
}

static inline uint64_t pte_mfn(uint64_t pte)
{
    return (pte & PTE_ADDR) >> 12;
}

#define INVALID_PFN (~0ul) // a hole in the p2m list
uint64_t pfn_to_mfn(uint64_t pfn);
uint64_t mfn_to_pfn(uint64_t mfn); // through the M2P table
void *pfn_to_va(uint64_t pfn);     // only for the boot region and page_alloc()
uint64_t va_to_pfn(const void *va);
uint64_t va_to_mfn(const void *va); // of image and page_alloc() addresses

void *page_alloc(void);            // zeroed, mapped RW, known to pfn_to_va
uint64_t pfn_alloc_unmapped(void); // a frame of ours that no page table maps

// Page-table entries. level 1..4; table root is the kernel L4 unless given.
uint64_t *kernel_l4(void);
uint64_t *pte_of(uint64_t *l4, const void *va, int level); // NULL when a level above is absent
uint64_t pte_maddr(const uint64_t *pte);                   // machine address of an entry
long pte_write(const uint64_t *pte, uint64_t value);       // MMU_NORMAL_PT_UPDATE
long page_protect(void *page, uint64_t flags);             // remap a page_alloc() page, flush
void *table_alloc(void);                                   // page_alloc() made read-only
long mmuext(unsigned int cmd, uint64_t arg1);              // one op with mfn/linear_addr
long mmuext2(unsigned int cmd, uint64_t arg1, uint64_t arg2);
bool map_page(uint64_t *l4, void *va, uint64_t pte); // creates missing tables

// ---- events
// --------------------------------------------------------------------------------------

extern volatile unsigned int event_count[]; // per port, by the kit's 2-level dispatcher
extern void (*upcall_hook)(void);           // replaces the 2-level dispatcher when set
void events_enable(void);                   // unmask upcalls and take what is pending
void events_disable(void);
void port_unmask(unsigned int port); // clears the 2-level mask bit, and what was pending before
bool port_pending(unsigned int port);
void port_clear(unsigned int port);
long bind_virq(unsigned int virq, unsigned int vcpu, evtchn_port_t *port);
long bind_ipi(unsigned int vcpu, evtchn_port_t *port);
long alloc_unbound(unsigned int dom, unsigned int remote, evtchn_port_t *port);
long bind_interdomain(unsigned int dom, evtchn_port_t remote, evtchn_port_t *port);
long evtchn_send(evtchn_port_t port);
long evtchn_close(evtchn_port_t port);
long evtchn_unmask(evtchn_port_t port);
long evtchn_status(evtchn_port_t port, struct evtchn_status *st);
domid_t own_domid(void); // as event channels know it

// ---- time
// ------------------------------------------------------------------------------------------

static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;

    asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

uint64_t system_time(void); // ns, by the version protocol of vcpu_time_info
void wait_ns(uint64_t ns);
// Spin until *word is non-zero or the time is over; true when it became non-zero.
bool wait_for(volatile unsigned int *word, uint64_t ns);

// ---- SMP
// -------------------------------------------------------------------------------------------

unsigned int vcpu_count(void); // that VCPUOP_is_up knows
void smp_context(unsigned int id, void (*fn)(void), struct vcpu_guest_context *ctx);
long smp_start(unsigned int id, void (*fn)(void)); // initialise and up; fn must not return early
_Noreturn void smp_park(void);                     // VCPUOP_down on itself

// ---- user mode
// -------------------------------------------------------------------------------------

#define USER_CODE  0x400000ul
#define USER_DATA  0x500000ul
#define USER_STACK 0x600000ul // top; one page below it

extern uint64_t *user_l4;
void user_setup(void); // user page tables, code page, stack, syscall callback
// Run code in user mode until a trap, syscall or failsafe callback; the record of that exit. regs
// gives the starting registers (rip and rsp are set here; rflags may be given).
const struct trap *user_run(const void *code, size_t size, struct frame *regs);
// iret from kernel with this context, coming back at the next entry from user mode.
const struct trap *user_iret(const struct iret_context *ctx);

// Code for user_run(): USER_SNIPPET(name, "asm").
#define USER_SNIPPET(name, text)            \
    extern const char name[], name##_end[]; \
    asm(".pushsection .rodata\n" #name ": " text "\n" #name "_end:\n.popsection\n")
#define USER_RUN(name, regs) user_run(name, (size_t)(name##_end - name), regs)

// ---- PCI, and the test device of QEMU ("-device edu")
// --------------------------------------------

uint32_t pci_read(unsigned int devfn, unsigned int reg);
void pci_write(unsigned int devfn, unsigned int reg, uint32_t value);
int pci_find(uint32_t id);
unsigned int pci_capability(unsigned int devfn, unsigned int cap);
// Maps the registers of the device at regs; its devfn, or -1 when there is none.
int edu_setup(volatile uint32_t *regs);
enum { EDU_IRQ_STATUS = 0x24 / 4, EDU_IRQ_RAISE = 0x60 / 4, EDU_IRQ_ACK = 0x64 / 4 };

// ---- other privileged things -------------------------------------------------------------------

static inline uint64_t read_flags(void)
{
    uint64_t flags;

    asm volatile("pushf; pop %0" : "=r"(flags));
    return flags;
}

// The first word of a segment.
static inline uint64_t at_fs(void)
{
    uint64_t v;

    asm volatile("mov %%fs:0, %0" : "=r"(v));
    return v;
}

static inline uint64_t at_gs(void)
{
    uint64_t v;

    asm volatile("mov %%gs:0, %0" : "=r"(v));
    return v;
}

#endif
