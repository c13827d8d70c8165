// SPDX-License-Identifier: MIT
// Measures against speculative side channels: which ones this CPU needs (a pure decision), and
// switching them on. docs/security.md has the table of weaknesses and measures.
#ifndef WIRT_CPU_SPEC_H
#define WIRT_CPU_SPEC_H

#ifndef __ASSEMBLY__
#include "cpu/x86.h"

struct cpu;
struct domain;

// What the decision rests on: CPUID and IA32_ARCH_CAPABILITIES (0 where there is none).
struct spec_cpu {
    bool intel, amd; // amd: Hygon too
    bool smap, rtm;
    u32 family, model;
    u32 leaf7_d, leaf7_2_d; // CPUID 7.0 and 7.2 EDX
    u32 ext8_b, ext21_a;    // CPUID 0x80000008 EBX, 0x80000021 EAX
    u64 caps;
};

enum spec_thunk { THUNK_AUTO, THUNK_RETPOLINE, THUNK_LFENCE, THUNK_JMP };

// The command line's words; OPTION_AUTO (-1) where it has none.
struct spec_options {
    s8 xpti, xpti_dom0, xpti_domu; // the latter two go before the first
    s8 l1tf, l1tf_dom0, l1tf_domu;
    s8 all, xen, pv;
    s8 rsb, verw, ibpb_entry, bhb_entry;
    s8 ibrs, stibp, ibpb, ssbd, bhi_dis_s;
    u8 thunk; // enum spec_thunk
};

struct spec {
    bool meltdown;             // the CPU is open to it
    bool xpti_dom0, xpti_domu; // guests run on page tables that lack ours
    bool l1tf_dom0, l1tf_domu; // not-present entries may not name RAM
    bool ibpb;                 // at a switch between domains
    bool auto_ibrs;            // AMD: EFER.AIBRSE
    u8 thunk;                  // enum spec_thunk, never AUTO
    u32 guard;                 // GUARD_* bits: what entries and exits do
    u32 msr_value;             // IA32_SPEC_CTRL while a guest runs; ours has IBRS set besides
    bool msr;                  // the CPU has that MSR
};
extern struct spec spec; // [i] after spec_init

void spec_choose(const struct spec_cpu *c, const struct spec_options *o, struct spec *out);
// One line, without the end of line, that names what is on.
void spec_describe(const struct spec *s, char *buf, size_t size);

// Decides for this machine. Boot, after cpu_probe and before memory_init.
void spec_init(const struct spec_options *o);
// Puts thunks and guarded calls into the text. Boot CPU, alone, after memory_init.
void spec_patch(void);
// This CPU's MSRs, and what its entries read. After its tables are loaded.
void spec_cpu_setup(void);
void spec_report(void);
// A vCPU of another domain comes to this CPU: what it learnt from the last one's is forgotten.
void spec_switch_domain(void);
// Its memory may become another domain, which is not the one that ran here last.
void spec_domain_gone(const struct domain *d);

// cpu/xpti.c: the tables that a guest under XPTI runs on. 0, -ENOMEM. Boot CPU only.
NODISCARD int xpti_cpu_create(struct cpu *c);
#endif

// What guarded entries and exits do (cpu/entry.S).
#define GUARD_XPTI 0x01
#define GUARD_IBRS 0x02 // SPEC_CTRL is written at entry and exit
#define GUARD_IBPB 0x04
#define GUARD_RSB  0x08
#define GUARD_BHB  0x10
#define GUARD_VERW 0x20
#define GUARD_CLAC 0x40 // exceptions and interrupts leave the guest's AC set

#endif
