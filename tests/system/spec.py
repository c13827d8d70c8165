# SPDX-License-Identifier: MIT
"""Isolation against Meltdown: whole systems under xpti=1, and what a guest's page tables hold."""

import functools
import re

from boot import boot_busybox, boot_debian
from case import Test, busybox, busybox_is_up, require

XPTI = "dom0_mem=1024M xpti=1"
OURS = range(0xffff808000000000, 0xffff880000000000)  # the hypervisor's, behind the M2P
PER_CPU = 0xffff808040000000
# Of one CPU: cpu_info, three IST stacks, TSS, stub, two GDT pages, and the guest's windows.
PAGES_MAX = 6 + 2 + 14 + 16


def in_ring_3(vm):
    """Stops the machine while the guest runs."""
    for _ in range(200):
        vm.monitor_command("stop")
        if "CPL=3" in vm.monitor_command("info registers"):
            return
        vm.monitor_command("cont")
    require(False, "the machine was never seen in ring 3")


def mapped(vm):
    """What of the hypervisor the loaded page tables translate, as QEMU walks them: (start, bytes)."""
    for line in vm.monitor_command("info mem").splitlines():
        m = re.match(r"([0-9a-f]{16})-([0-9a-f]{16}) [0-9a-f]{16} (\S+)", line)
        if m and int(m.group(1), 16) in OURS:
            yield int(m.group(1), 16), int(m.group(2), 16) - int(m.group(1), 16)


def isolation(lab, on):
    with busybox(lab, "while :; do :; done", hv_args=f"dom0_mem=512M xpti={on:d}") as vm:
        busybox_is_up(vm, 1)
        in_ring_3(vm)
        found = list(mapped(vm))
        own = sum(size for start, size in found if start >= PER_CPU and start < PER_CPU + (1 << 18)) // 4096
        text = sum(size for start, size in found if start < PER_CPU) // 4096
        rest = [f"{start:x}" for start, _ in found if start >= PER_CPU + (1 << 18)]
        if on:
            require(0 < own <= PAGES_MAX, f"{own} pages of the CPU's area are mapped")
            require(0 < text <= 5, f"{text} pages of the image are mapped")
            require(not rest, f"mapped while the guest runs: {rest}")
        else:
            require(rest, "nothing of the hypervisor is mapped: the test is blind")


TESTS = [
    Test("xpti-isolation", functools.partial(isolation, on=True), quick=True, ours=True),
    Test("xpti-off", functools.partial(isolation, on=False), ours=True),
    Test("boot-xpti-4cpu", functools.partial(boot_busybox, cpus=4, hv_args=XPTI), cpus=4),
    Test("boot-xpti-haswell", functools.partial(boot_busybox, cpu="Haswell")),  # by itself
    Test("debian-xpti", functools.partial(boot_debian, variant="current", hv_args=XPTI), quick=True),
]
