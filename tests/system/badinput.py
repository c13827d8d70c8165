# SPDX-License-Identifier: MIT
"""What a person can get wrong before dom0 runs: each case must be answered by one clear line, then
a halt or the documented fallback; never by a triple fault, a reset, or silence."""

import dataclasses
import functools
import os
import random
import struct
import tempfile
import typing

from case import Test, busybox_is_up, require
from machine import Machine


def vmlinuz(lab):
    with open(lab.image("current") + "/vmlinuz", "rb") as file:
        return file.read()


def truncated(lab):
    return vmlinuz(lab)[:1 << 20]


def headerless(lab):
    return vmlinuz(lab)[:0x210]


def corrupt(lab):
    """Another 4 KiB in the midst of the compressed payload."""
    data = bytearray(vmlinuz(lab))
    middle = len(data) // 2
    data[middle:middle + 4096] = random.Random(1).randbytes(4096)
    return bytes(data)


def noise(_lab):
    return random.Random(2).randbytes(1 << 20)


def empty(_lab):
    return b"\n"


def elf64(_lab):
    """A correct x86-64 executable of one page that says nothing about Xen."""
    header = struct.pack("<4s5B7x2HI3QI6H", b"\x7fELF", 2, 1, 1, 0, 0, 2, 62, 1, 0x1000000, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<2I6Q", 1, 5, 0, 0x1000000, 0x1000000, 4096, 4096, 4096)
    return (header + segment).ljust(4096, b"\xf4")


def elf32(_lab):
    """The same for the 80386."""
    header = struct.pack("<4s5B7x2H5I6H", b"\x7fELF", 1, 1, 1, 0, 0, 2, 3, 1, 0x1000000, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<8I", 1, 0, 0x1000000, 0x1000000, 4096, 4096, 5, 4096)
    return (header + segment).ljust(4096, b"\xf4")


@dataclasses.dataclass(frozen=True)
class Case:
    """The line that is expected, and what is fed. `boots`: the fallback is that dom0 runs."""

    name: str
    line: str
    boots: bool = False
    kernel: typing.Optional[typing.Callable] = None
    initrd_mib: int = 0
    machine: dict = dataclasses.field(default_factory=dict)


CASES = [
    Case("no-module", r"no (dom0 )?kernel", machine={"modules": ""}),
    Case("truncated", r"kernel.*(truncated|shorter|beyond|corrupt)", kernel=truncated),
    Case("headerless", r"kernel.*(truncated|short|neither|not an?\b)", kernel=headerless),
    Case("corrupt", r"kernel.*(corrupt|decompress|damaged)", kernel=corrupt),
    Case("noise", r"kernel.*(neither|not an?\b|unknown)", kernel=noise),
    Case("empty", r"kernel.*(neither|not an?\b|unknown|short|empty)", kernel=empty),
    Case("no-notes", r"kernel.*\b(notes?|PV)\b", kernel=elf64),
    Case("elf32", r"kernel.*32-bit", kernel=elf32),
    Case("initrd-too-large", r"(initrd|dom0_mem).*(fit|large|memory|small)", initrd_mib=256,
         machine={"hv_args": "dom0_mem=192M"}),
    Case("dom0-mem-tiny", r"dom0_mem|dom0.*memory", machine={"hv_args": "dom0_mem=1M"}),
    Case("dom0-mem-above-ram", r"dom0_mem.*(reduc|clamp|only|than)", boots=True, machine={"hv_args": "dom0_mem=64G"}),
    Case("dom0-mem-absurd", r"(ignor|malformed).*dom0_mem", boots=True, machine={"hv_args": "dom0_mem=banana"}),
    Case("unknown-option", r"(unknown|ignor).*frobnicate|frobnicate.*(unknown|ignor)", boots=True,
         machine={"hv_args": "dom0_mem=1024M frobnicate=1"}),
    Case("malformed-option", r"(malformed|ignor|invalid).*maxcpus|maxcpus.*(malformed|ignor|invalid)", boots=True,
         machine={"hv_args": "dom0_mem=1024M maxcpus=many"}),
    Case("little-ram", r"memory", machine={"mem": 24, "hv_args": ""}),
    Case("no-nx", r"(no|not|without|lacks?|needs?) .*(\bNX\b|no-execute)|\bNX\b.*(missing|absent|required|not )", machine={"cpu": "qemu64,-nx"}),
    Case("no-long-mode", r"64-bit|long mode", machine={"cpu": "qemu32"}),
    Case("pentium3", r"64-bit|long mode", machine={"cpu": "pentium3"}),
    # Debian's kernel then gives its console the number of the clock's interrupt, and stops. Xen panics before that.
    Case("no-acpi", r"ACPI: .*one CPU, legacy interrupts", machine={"machine": "pc,acpi=off", "cpus": 2}),
    Case("many-cpus", r"(processor|cpu)s?.*(ignor|most|limit|more than)", boots=True,
         machine={"cpus": 160, "hv_args": "dom0_mem=1024M dom0_max_vcpus=1"}),
]
QUICK = {"no-module", "truncated", "corrupt", "noise", "no-notes", "elf32", "initrd-too-large", "dom0-mem-above-ram",
         "unknown-option", "no-nx", "no-long-mode"}


def run(lab, case):
    machine = dict(case.machine)
    with tempfile.TemporaryDirectory() as work:
        if case.kernel:
            machine["kernel"] = f"{work}/kernel"
            with open(machine["kernel"], "wb") as file:
                file.write(case.kernel(lab))
        if case.initrd_mib:
            machine["initrd"] = f"{work}/initrd"
            with open(machine["initrd"], "wb") as file:
                file.write(os.urandom(1 << 20) * case.initrd_mib)
        with Machine(lab, disaster=None, **machine) as vm:
            # All on one line, but not on the one that repeats the command line.
            vm.expect(rf"(?im)^(?!.*command line: console)[^\n]*?({case.line})", 60)
            if case.boots:
                busybox_is_up(vm, 1)
                vm.expect_end("guest-shutdown")
            require(not vm.triple_faulted(), "triple fault")
            require(vm.qemu.poll() is None or case.boots, "the machine reset or stopped")


TESTS = [Test("bad-" + case.name, functools.partial(run, case=case), case.name in QUICK, ours=True,
              cpus=case.machine.get("cpus", 1)) for case in CASES]
