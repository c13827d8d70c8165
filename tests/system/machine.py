# SPDX-License-Identifier: MIT
"""One QEMU machine under test: starts it, waits for its console to say something, types, and tells
how it ended. Nothing here sleeps: every wait is for console output, with a time limit.

A machine is described by keywords, all with defaults: see `Machine.__init__`."""

import json
import os
import re
import selectors
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

OVMF = "/usr/share/OVMF/OVMF_%s_4M.fd"
HV_ARGS = "console=com1 com1=115200,8n1 loglvl=all"
# What no test ever wants to see, unless it says so.
DISASTER = rb"Kernel panic|wirt: panic|Panic on CPU|(Dom0|dom0|Domain 0|domain 0) crashed|BUG: unable to handle"
TAIL = 160  # characters of console shown when a test fails


class Failure(Exception):
    """A test's reason to fail, in one line."""


def quote_comma(text):
    """QEMU's option lists double a comma that is meant literally."""
    return str(text).replace(",", ",,")


def printable(text):
    """The end of the console as one printable line."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[^\x20-\x7e\n]", "", text.decode(errors="replace"))
    return " | ".join(line.strip() for line in text.splitlines() if line.strip())[-TAIL:]


class Machine:
    """A context manager: the machine runs inside the `with` and is killed at its end."""

    def __init__(self, lab, *, hv=None, hv_args="dom0_mem=1024M", kernel=None, kernel_args="quiet", initrd=None,
                 machine="q35", cpu="qemu64", cpus=1, mem=2048, firmware="direct", protocol="multiboot2",
                 devices=(), noreboot=True, disaster=DISASTER, modules="kernel initrd", echo=False):
        self.lab, self.firmware, self.protocol, self.modules = lab, firmware, protocol, modules
        self.echo = echo  # the console also to standard output
        self.hv = hv or lab.hv
        self.hv_args = f"{HV_ARGS} {'noreboot ' if noreboot else ''}{hv_args}"
        self.kernel = kernel or lab.image("current") + "/vmlinuz"
        self.kernel_args = f"console=hvc0 cryptomgr.notests {kernel_args}"
        self.initrd = initrd or lab.busybox("current")
        self.disaster = re.compile(disaster) if disaster else None
        self.console = b""
        self.seen = 0  # up to where expect() has consumed the console
        self.work = tempfile.mkdtemp(prefix="wirt-system-")
        self.monitor = socket.socket(socket.AF_UNIX)
        self.command = ["qemu-system-x86_64", "-M", machine, "-accel", lab.accel, "-cpu", cpu, "-smp", str(cpus),
                        "-m", str(mem), "-display", "none", "-serial", "stdio", "-no-reboot", "-nodefaults",
                        "-vga", "std", "-device", "virtio-rng-pci",
                        "-chardev", f"socket,id=qmp,path={self.work}/qmp", "-mon", "chardev=qmp,mode=control",
                        "-d", "cpu_reset", "-D", f"{self.work}/qemu.log", *devices]

    def __enter__(self):
        self.monitor.bind(f"{self.work}/qmp")
        self.monitor.listen(1)
        command = self.command + self._boot_options()
        self.log = open(self.lab.log_path(), "ab")
        self.log.write(f"\n$ {' '.join(command)}\n".encode())
        self.started = time.monotonic()
        self.qemu = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.qemu.stdout, selectors.EVENT_READ)
        self._connect_monitor()
        return self

    def __exit__(self, *_):
        self.qemu.kill()
        self.qemu.wait()
        self.qemu.stdin.close()
        self.qemu.stdout.close()
        self.monitor.close()
        self.log.close()
        shutil.rmtree(self.work, ignore_errors=True)

    def _connect_monitor(self):
        self.monitor.settimeout(20)
        try:
            link, _ = self.monitor.accept()
        except socket.timeout:
            raise Failure("QEMU did not start: " + printable(self._drain())) from None
        self.monitor.close()
        self.monitor = link
        self.monitor.sendall(b'{"execute": "qmp_capabilities"}\n')

    def _boot_options(self):
        if self.protocol == "pvh":
            return ["-kernel", self._make_pvh(), "-append", self.hv_args, "-initrd", self.kernel]
        if self.firmware == "direct":
            modules = []
            if "kernel" in self.modules:
                modules.append(f"{quote_comma(self.kernel)} {quote_comma(self.kernel_args)}")
            if "initrd" in self.modules:
                modules.append(quote_comma(self.initrd))
            return ["-kernel", self.hv, "-append", self.hv_args] + (["-initrd", ",".join(modules)] if modules else [])
        options = ["-cdrom", self._make_iso(), "-boot", "d"]
        if self.firmware == "uefi":
            shutil.copy(OVMF % "VARS", f"{self.work}/vars.fd")
            options += ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF % 'CODE'}",
                        "-drive", f"if=pflash,format=raw,file={self.work}/vars.fd"]
        return options

    def _make_pvh(self):
        """QEMU takes the PVH entry only of a file without multiboot header. It passes one module."""
        pvh = f"{self.work}/pvh"
        with open(self.hv, "rb") as whole, open(pvh, "wb") as file:
            file.write(whole.read().replace(struct.pack("<I", 0x1BADB002), bytes(4), 1))
        return pvh

    def _make_iso(self):
        iso = f"{self.work}/test.iso"
        subprocess.run([self.lab.top + "/scripts/iso"], check=True, env=dict(
            os.environ, OUT=iso, HV=self.hv, HV_ARGS=self.hv_args, KERNEL=self.kernel, KERNEL_ARGS=self.kernel_args,
            INITRD=self.initrd, PROTOCOL=self.protocol, MODULES=self.modules))
        return iso

    def _read(self, deadline):
        """Waits for console output; False at the end of the machine or of the time."""
        if not self.selector.select(max(0, deadline - time.monotonic())):
            return False
        data = os.read(self.qemu.stdout.fileno(), 65536)
        self.console += data
        self.log.write(data)
        self.log.flush()
        if self.echo:
            sys.stdout.buffer.write(data)
            sys.stdout.flush()
        return bool(data)

    def _drain(self):
        self.qemu.kill()
        while self._read(time.monotonic() + 5):
            pass
        return self.console

    def expect(self, pattern, timeout=120):
        """Waits until the console shows `pattern` after what was expected before; returns the match."""
        pattern = re.compile(pattern.encode())
        deadline = time.monotonic() + timeout * self.lab.patience
        while True:
            match = pattern.search(self.console, self.seen)
            if match:
                self.seen = match.end()
                return match
            disaster = self.disaster and self.disaster.search(self.console, self.seen)
            if disaster:
                raise Failure(f"the machine died: {printable(self.console[disaster.start():][:TAIL])}")
            if not self._read(deadline):
                ended = "timeout" if time.monotonic() > deadline - 0.1 else "the machine stopped"
                raise Failure(f"{ended} waiting for /{pattern.pattern.decode()}/ after: {printable(self.console)}")

    def send(self, line, end="\n"):
        self.qemu.stdin.write((line + end).encode())
        self.qemu.stdin.flush()

    def run(self, command, prompt=r":~# ", timeout=60):
        """Types a command at a shell's prompt and returns what it printed."""
        start = self.seen
        self.send(command)
        self.expect(r"\n", timeout)
        end = self.expect(prompt, timeout).start()
        return self.console[start:end].decode(errors="replace")

    def ended(self, timeout=60):
        """Waits for the machine's end: `guest-shutdown`, `guest-reset`, or `triple fault`."""
        deadline = time.monotonic() + timeout * self.lab.patience
        while self._read(deadline):
            pass
        if time.monotonic() >= deadline:
            raise Failure(f"still running {timeout} s after it should have ended: {printable(self.console)}")
        self.qemu.wait()
        return "triple fault" if self.triple_faulted() else self._shutdown_reason()

    def monitor_command(self, line):
        """What QEMU's monitor answers to a line."""
        command = {"execute": "human-monitor-command", "arguments": {"command-line": line}}
        self.monitor.sendall(json.dumps(command).encode() + b"\n")
        self.monitor.settimeout(60)
        data = b""
        while True:
            received = self.monitor.recv(65536)
            if not received:
                raise Failure("QEMU's monitor has gone")
            data += received
            *lines, data = data.split(b"\n")
            for answer in map(json.loads, lines):
                if isinstance(answer.get("return"), str):
                    return answer["return"]
                if "error" in answer:
                    raise Failure(f"QEMU's monitor: {answer['error']['desc']}")

    def triple_faulted(self):
        with open(f"{self.work}/qemu.log", errors="replace") as log:
            return "Triple fault" in log.read()

    def _shutdown_reason(self):
        self.monitor.settimeout(5)
        events = b""
        while data := self.monitor.recv(4096):
            events += data
        for line in events.splitlines():
            event = json.loads(line)
            if event.get("event") == "SHUTDOWN":
                return event["data"]["reason"]
        return f"QEMU exited with status {self.qemu.returncode}"

    def expect_end(self, reason, timeout=60):
        how = self.ended(timeout)
        if how != reason:
            raise Failure(f"ended by {how}, not {reason}: {printable(self.console)}")
