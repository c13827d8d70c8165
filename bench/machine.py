# SPDX-License-Identifier: MIT
"""The emulated machine: one command line for all, and two ways to watch it run. run_to_end() reads
figures off the serial console; boot_cost() stops at two instructions through QEMU's debugger stub.

Why the debugger stub: it needs nothing from the hypervisor, so Xen and Wirt are measured by the same
ruler, and QMP's query-replay tells the number of instructions at each stop whenever -icount is on."""

import json
import os
import re
import select
import socket
import subprocess
import tempfile
import time
from collections import namedtuple

BootCost = namedtuple("BootCost", "seconds instructions")

MEGABYTES = 1024
DOM0_MEGABYTES = 768
# The real-time clock follows the counted instructions too: then two runs are the same to the last
# instruction. norandmaps serves the same end: how many page tables a process has depends on luck.
COUNTED = ["-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01T00:00:00,clock=vm"]
KERNEL_OPTIONS = "quiet norandmaps"
FIGURE = re.compile(r"\b(?:BENCH|HC) (\w+) (\d+)\r*\n")
DONE = re.compile(r"\b(?:BENCH|HC) (?:end|failed)\b.*\n")


class Failed(Exception):
    """The machine did not get where it should; the text says how far it came."""


def qemu(boot, counted, extra=(), cpus=1):
    """The command line. boot: QEMU's arguments that name what to start."""
    clock = COUNTED if counted else []
    return ["qemu-system-x86_64", "-accel", "tcg,thread=single", "-M", "q35", "-cpu", "qemu64", "-smp", str(cpus),
            "-m", str(MEGABYTES), "-display", "none", "-monitor", "none", "-nodefaults", "-no-reboot",
            *clock, *boot, *extra]


def bare(kernel, initrd):
    return ["-kernel", kernel, "-initrd", initrd, "-append", f"console=ttyS0 {KERNEL_OPTIONS} mem={DOM0_MEGABYTES}M"]


def hypervised(hypervisor, modules, options=""):
    """modules: (file, arguments) pairs; a comma in them has to be doubled for QEMU."""
    words = [" ".join(filter(None, pair)).replace(",", ",,") for pair in modules]
    return ["-kernel", hypervisor, "-initrd", ",".join(words),
            "-append", f"console=com1 com1=115200,8n1 {options}".strip()]


def domain0(hypervisor, kernel, initrd):
    modules = [(kernel, f"console=hvc0 {KERNEL_OPTIONS}"), (initrd, "")]
    return hypervised(hypervisor, modules, f"dom0_mem={DOM0_MEGABYTES}M")


def stop(process):
    process.kill()
    process.wait()


def read_console(process, limit):
    """All console text until the guest says it is done, the machine's end or the limit in seconds."""
    text, deadline = "", time.monotonic() + limit
    while not DONE.search(text):
        ready, _, _ = select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))
        piece = os.read(process.stdout.fileno(), 65536) if ready else b""
        if not piece:
            break
        text += piece.decode("utf-8", "replace")
    return text


def run_to_end(boot, counted, limit=300, cpus=1):
    """Boot and collect the figures: a dictionary, and what went wrong or None."""
    process = subprocess.Popen(qemu(boot, counted, ["-serial", "stdio"], cpus), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        text = read_console(process, limit)
    finally:
        stop(process)
    figures = {name: int(value) for name, value in FIGURE.findall(text)}
    if "end" in figures:
        return figures, None
    last = [line.strip() for line in text.splitlines() if line.strip()][-3:]
    return figures, "stopped before the end; last words: " + " / ".join(last or ["none"])


class DebugStub:
    """As much of the GDB remote protocol as it takes to run to an address."""

    def __init__(self, path, limit):
        self.socket = connect(path)
        self.socket.settimeout(limit)

    def ask(self, text):
        self.socket.sendall(b"$%s#%02x" % (text.encode(), sum(text.encode()) & 0xFF))
        answer = b""
        while not re.search(rb"#..$", answer):
            piece = self.socket.recv(4096)
            if not piece:
                raise Failed("the machine ended before it came to the breakpoint")
            answer += piece
        self.socket.sendall(b"+")
        return answer

    def run_to(self, address):
        self.ask(f"Z1,{address:x},1")
        self.ask("c")
        self.ask(f"z1,{address:x},1")


class Monitor:
    """QMP, for one question."""

    def __init__(self, path):
        self.file = connect(path).makefile("rwb", 0)
        self.file.readline()
        self.ask("qmp_capabilities")

    def ask(self, command):
        self.file.write(json.dumps({"execute": command}).encode() + b"\n")
        while True:
            answer = json.loads(self.file.readline())
            if "event" not in answer:
                return answer["return"]

    def instructions(self):
        return self.ask("query-replay")["icount"]


def connect(path, limit=20):
    """To a socket that QEMU is about to create."""
    deadline = time.monotonic() + limit
    while True:
        link = socket.socket(socket.AF_UNIX)
        try:
            link.connect(path)
            return link
        except OSError as error:
            link.close()
            if time.monotonic() > deadline:
                raise Failed(f"QEMU ended at once, or does not answer ({error})") from error
            time.sleep(0.05)


def boot_cost(boot, counted, first, last, limit=240):
    """From the instruction at `first` to the one at `last`; instructions only if counted."""
    with tempfile.TemporaryDirectory() as folder:
        stub_path, monitor_path = f"{folder}/stub", f"{folder}/monitor"
        extra = ["-S", "-serial", "null", "-qmp", f"unix:{monitor_path},server=on,wait=off",
                 "-chardev", f"socket,id=stub,path={stub_path},server=on,wait=off", "-gdb", "chardev:stub"]
        process = subprocess.Popen(qemu(boot, counted, extra), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            monitor, stub = Monitor(monitor_path), DebugStub(stub_path, limit)
            stub.run_to(first)
            instructions, start = monitor.instructions() if counted else 0, time.monotonic()
            stub.run_to(last)
            seconds = time.monotonic() - start
            return BootCost(seconds, monitor.instructions() - instructions if counted else None)
        except TimeoutError:
            raise Failed(f"domain 0's first instruction was not reached in {limit} s") from None
        finally:
            stop(process)
