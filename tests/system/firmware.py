# SPDX-License-Identifier: MIT
"""ACPI tables with wrong checksums in a whole machine. The firmware makes them right, so the machine
is stopped at the hypervisor's entry, through QEMU's debug stub, and one byte is changed."""

import dataclasses
import functools
import socket
import struct
import tempfile
import typing

from case import Test, busybox, busybox_is_up, require

BIOS, BIOS_END, CHUNK = 0xE0000, 0x100000, 0x400
RSDP_CHECKSUM, TABLE_CHECKSUM = 8, 9


class Stub:
    """The debugger's side of GDB's remote protocol; QEMU connects to it."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)

    def accept(self, timeout):
        self.listener.settimeout(timeout)
        self.link, _ = self.listener.accept()
        self.link.settimeout(timeout)
        self.replies = self.link.makefile("rb")

    def close(self):
        self.listener.close()
        if hasattr(self, "link"):
            self.replies.close()
            self.link.close()

    def ask(self, packet):
        self.link.sendall(f"${packet}#{sum(packet.encode()) & 0xff:02x}".encode())
        while self.replies.read(1) != b"$":
            pass
        reply = b""
        while not reply.endswith(b"#"):
            reply += self.replies.read(1)
        self.replies.read(2)
        self.link.sendall(b"+")
        return reply[:-1].decode()

    def read(self, address, size):
        return bytes.fromhex(self.ask(f"m{address:x},{size:x}"))

    def write(self, address, byte):
        require(self.ask(f"M{address:x},1:{byte:02x}") == "OK", f"cannot write to {address:#x}")

    def run_to(self, address):
        require(self.ask(f"Z1,{address:x},1") == "OK", "no breakpoint")
        stop = self.ask("c")
        require(stop.startswith("T05"), f"the machine did not stop at its entry: {stop}")
        self.ask(f"z1,{address:x},1")


def multiboot_entry(path):
    with open(path, "rb") as file:
        head = file.read(32768)
    return struct.unpack_from("<8I", head, head.index(struct.pack("<I", 0x1BADB002)))[7]


def checksum_address(stub, signature):
    """Where the checksum of the root pointer, the root table or one of its tables is."""
    image = b"".join(stub.read(at, CHUNK) for at in range(BIOS, BIOS_END, CHUNK))
    rsdp = image.index(b"RSD PTR ")
    if signature == "RSD PTR":
        return BIOS + rsdp + RSDP_CHECKSUM
    root = struct.unpack_from("<I", image, rsdp + 16)[0]
    if signature == "RSDT":
        return root + TABLE_CHECKSUM
    length = struct.unpack("<I", stub.read(root + 4, 4))[0]
    for table, in struct.iter_unpack("<I", stub.read(root + 36, length - 36)):
        if stub.read(table, 4) == signature.encode():
            return table + TABLE_CHECKSUM
    raise AssertionError(f"this machine has no {signature}")


@dataclasses.dataclass(frozen=True)
class Case:
    """`dom0_cpus`: the fallback with which dom0 runs to its end; None: it cannot."""

    name: str
    table: str
    line: str
    dom0_cpus: typing.Optional[int] = None


CASES = [
    Case("hpet", "HPET", r"ACPI: table HPET at 0x\w+ .*checksum.*: ignored", 2),
    Case("mcfg", "MCFG", r"ACPI: table MCFG at 0x\w+ .*checksum.*: ignored", 2),
    Case("madt", "APIC", r"ACPI: table APIC at 0x\w+ .*checksum.*: ignored"),
    Case("fadt", "FACP", r"ACPI: table FACP at 0x\w+ .*checksum.*: ignored"),
    Case("root", "RSDT", r"ACPI: table RSDT at 0x\w+ .*checksum.*: ignored"),
    Case("rsdp", "RSD PTR", r"ACPI: .*one CPU, legacy interrupts"),
]


def run(lab, case):
    with tempfile.TemporaryDirectory() as work:
        stub = Stub(f"{work}/gdb")
        try:
            with busybox(lab, cpus=2, disaster=None, devices=("-S", "-gdb", f"unix:{work}/gdb")) as vm:
                stub.accept(60 * lab.patience)
                stub.run_to(multiboot_entry(vm.hv))
                address = checksum_address(stub, case.table)
                stub.write(address, stub.read(address, 1)[0] ^ 1)
                stub.ask("D")
                vm.expect(case.line)
                vm.expect("starting dom0")
                if case.dom0_cpus:
                    busybox_is_up(vm, case.dom0_cpus)
                    vm.expect_end("guest-shutdown")
                require(not vm.triple_faulted(), "triple fault")
                require(vm.qemu.poll() is None or case.dom0_cpus, "the machine reset or stopped")
        finally:
            stub.close()


TESTS = [Test("acpi-" + case.name, functools.partial(run, case=case), case.name == "hpet", ours=True, cpus=2)
         for case in CASES]
