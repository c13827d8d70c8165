// SPDX-License-Identifier: MIT
// HYPERVISOR_console_io: the emergency console, for the control domain only. Its bytes go to the
// devices as they are.
#include "abi/xen.h"
#include "hc/continue.h"
#include "hc/table.h"
#include "io/console.h"

enum { CHUNK = 128 };

static long write(struct vcpu *cur, u32 count, guest_ptr buffer)
{
    char text[CHUNK];
    while (count) {
        u32 n = MIN(count, (u32)CHUNK);
        if (guest_copy_in(text, buffer, n))
            return -EFAULT;
        console_write_guest(text, n);
        count -= n;
        buffer = guest_ptr_add(buffer, n);
        if (count && preempt_wanted()) {
            hc_set_arg(cur, 1, count);
            hc_set_arg(cur, 2, buffer.v);
            return -ERESTART_HC;
        }
    }
    return 0;
}

// Ends with the first piece that is not full.
static long read(u32 count, guest_ptr buffer)
{
    char text[CHUNK];
    u32 done = 0, n;
    do {
        n = (u32)console_input_read(text, MIN(count - done, (u32)CHUNK));
        if (guest_copy_out(guest_ptr_add(buffer, done), text, n))
            return -EFAULT;
        done += n;
    } while (n == CHUNK);
    return done;
}

long hc_console_io(struct vcpu *cur, u64 cmd, u64 count, u64 buffer, u64 a3, u64 a4)
{
    if (!cur->dom->privileged)
        return -EPERM;
    if ((u32)count > INT32_MAX)
        return -E2BIG;
    switch ((u32)cmd) {
    case CONSOLEIO_write:
        return write(cur, (u32)count, GUEST_PTR(buffer));
    case CONSOLEIO_read:
        return read((u32)count, GUEST_PTR(buffer));
    default:
        return -ENOSYS;
    }
}

void console_input_notify(void)
{
    if (READ_ONCE(dom0))
        domain_send_virq(VIRQ_CONSOLE);
}
