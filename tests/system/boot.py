# SPDX-License-Identifier: MIT
"""Boots: the busybox initrd on many machines, Debian to its login prompt, and how they end."""

import functools
import itertools
import subprocess
import time

from case import Test, busybox, busybox_is_up, require
from machine import Machine

DEBIAN_ARGS = "quiet root=LABEL=wirt-dom0 ro"


def boot_busybox(lab, cpus=1, dom0_cpus=None, **machine):
    with busybox(lab, cpus=cpus, **machine) as vm:
        busybox_is_up(vm, dom0_cpus or cpus)
        vm.expect("wirt-done")
        vm.expect_end("guest-shutdown")


def boot_saying(lab, line, cpus=1, dom0_cpus=None, **machine):
    """A boot whose console has a certain line, on which the hypervisor does what it announces."""
    with busybox(lab, cpus=cpus, **machine) as vm:
        vm.expect(line)
        busybox_is_up(vm, dom0_cpus or cpus)
        vm.expect_end("guest-shutdown", 120)


def boot_debian(lab, variant, cpus=1, **machine):
    """To the login prompt, in, a look around, and off through systemd."""
    image = lab.image(variant)
    disk = ("-drive", f"file={image}/disk.img,format=raw,if=virtio,snapshot=on", "-nic", "user,model=virtio-net-pci")
    with Machine(lab, kernel=image + "/vmlinuz", initrd=image + "/initrd.img", kernel_args=DEBIAN_ARGS,
                 devices=disk, cpus=cpus, **machine) as vm:
        vm.expect("wirt-dom0 login: ", 300)
        vm.send("root")
        vm.expect(":~# ")
        seen = vm.run("echo $(cat /sys/hypervisor/type) $(nproc) $(findmnt -no SOURCE,FSTYPE /)")
        require(f"xen {cpus} /dev/vda ext4" in seen, f"dom0 reports: {seen!r}")
        failed = vm.run("systemctl --failed --no-legend --plain --no-pager | cat", timeout=120)
        require(".service" not in failed, f"systemd reports failed units: {failed!r}")
        vm.send("poweroff")
        vm.expect_end("guest-shutdown", 120)


def boot_pvh(lab):
    """QEMU's PVH start has room for the kernel only: it runs up to the lack of a root file system."""
    with Machine(lab, protocol="pvh", disaster=None) as vm:
        vm.expect("by PVH")
        vm.expect(r"Kernel panic - not syncing: VFS: Unable to mount root fs")
        vm.expect("(?i)domain 0 has shut down: crash")


def ends_by(lab, command, reason):
    with busybox(lab, command) as vm:
        busybox_is_up(vm, 1)
        vm.expect_end(reason)


def watchdog(lab):
    """A CPU that hangs on purpose (a key of debug builds) is found; a machine that was stopped is not."""
    debug = lab.top + "/build/dbg/wirt"
    subprocess.run(["make", "-s", "-C", lab.top, "DEBUG=1", "BUILD=build/dbg", "build/dbg/wirt"], check=True)
    with busybox(lab, "sleep 1000", hv=debug, cpus=4, disaster=None,
                 hv_args="dom0_mem=1024M watchdog watchdog_timeout=2") as vm:
        busybox_is_up(vm, 4)
        vm.monitor.sendall(b'{"execute": "stop"}\n')
        time.sleep(8)
        vm.monitor.sendall(b'{"execute": "cont"}\n')
        vm.send("\x01\x01\x01H")
        vm.expect(r"watchdog: CPU \d+ hangs")
        vm.expect(r"\] hang\+0x")
        vm.expect(r"panic: CPU \d+ has not left the hypervisor for 2 s")


def crash(lab, reboots):
    """A dom0 that panics: the hypervisor says so, then resets, or halts with `noreboot`."""
    with busybox(lab, "echo c > /proc/sysrq-trigger", disaster=None, noreboot=not reboots) as vm:
        busybox_is_up(vm, 1)
        vm.expect(r"(?i)(dom(ain )?0|wirt).{0,40}crash")
        if reboots:
            vm.expect_end("guest-reset")


def _busybox(name, quick=False, **machine):
    return Test(name, functools.partial(boot_busybox, **machine), quick, cpus=machine.get("cpus", 1))


def _saying(name, line, **machine):
    return Test(name, functools.partial(boot_saying, line=line, **machine), ours=True, cpus=machine.get("cpus", 1))


def _debian(variant, machine, firmware, cpus):
    quick = (variant, machine, firmware, cpus) in QUICK_DEBIAN
    run = functools.partial(boot_debian, variant=variant, machine=machine, firmware=firmware, cpus=cpus)
    return Test(f"debian-{variant}-{machine}-{'bios' if firmware == 'direct' else firmware}-{cpus}cpu", run, quick,
                cpus=cpus)


QUICK_DEBIAN = {("current", "q35", "direct", 1), ("older", "pc", "direct", 4), ("current", "q35", "uefi", 1)}

TESTS = [
    _busybox("boot-qemu64-1cpu", quick=True),
    _busybox("boot-qemu64-4cpu", cpus=4),
    _busybox("boot-EPYC-1cpu", quick=True, cpu="EPYC"),
    _busybox("boot-EPYC-4cpu", cpu="EPYC", cpus=4),
    _busybox("boot-max-1cpu", cpu="max"),
    _busybox("boot-max-4cpu", quick=True, cpu="max", cpus=4),
    _busybox("boot-icount", quick=True, devices=("-icount", "shift=0,sleep=off")),
    _busybox("boot-2cpu", cpus=2),
    _busybox("boot-8cpu", cpus=8),
    _busybox("boot-32cpu", cpus=32),
    _busybox("boot-iso-bios", quick=True, firmware="bios"),
    _busybox("boot-iso-bios-multiboot1", quick=True, firmware="bios", protocol="multiboot"),
    _busybox("boot-iso-uefi", quick=True, firmware="uefi"),
    _busybox("boot-iso-uefi-pc", firmware="uefi", machine="pc"),
    _busybox("boot-above-4g", mem=6144, hv_args="dom0_mem=5120M"),
    _busybox("boot-all-memory", mem=3072, hv_args=""),
    _busybox("boot-dom0-max-vcpus", cpus=4, dom0_cpus=2, hv_args="dom0_mem=1024M dom0_max_vcpus=2"),
    _busybox("boot-maxcpus", cpus=4, dom0_cpus=2, hv_args="dom0_mem=1024M maxcpus=2"),
    _busybox("boot-vcpus-pin", cpus=4, hv_args="dom0_mem=1024M dom0_vcpus_pin"),
    _saying("boot-tsc-skewed", r"by ACPI PM timer", cpus=4, hv_args="dom0_mem=1024M tsc=skewed clocksource=acpi"),
    _saying("boot-pit", r"by PIT", hv_args="dom0_mem=1024M clocksource=pit"),
    _saying("boot-128cpu", r"128 CPUs", cpus=128, dom0_cpus=4, mem=4096,
            hv_args="dom0_mem=1024M dom0_max_vcpus=4"),
    Test("boot-pvh", boot_pvh, quick=True, ours=True),
    Test("watchdog-hang", watchdog, ours=True, cpus=4),
    _saying("watchdog-quiet", r"starting dom0", cpus=4, hv_args="dom0_mem=1024M watchdog=force"),
    _saying("watchdog-1cpu", r"watchdog: .*no effect", hv_args="dom0_mem=1024M watchdog"),
    _saying("boot-effectless", r"option 'xsave' has no effect", hv_args="dom0_mem=1024M xsave=0 apic=0 conswitch=b"),
    _saying("boot-no-iommu", r"'snoop' in option 'iommu' has no effect[\s\S]*iommu: no effect",
            hv_args="dom0_mem=1024M iommu=required,snoop dom0-iommu=strict"),
    Test("end-poweroff", functools.partial(ends_by, command="poweroff -f", reason="guest-shutdown"), quick=True),
    Test("end-reboot", functools.partial(ends_by, command="reboot -f", reason="guest-reset"), quick=True),
    Test("end-crash-halts", functools.partial(crash, reboots=False), quick=True),
    Test("end-crash-reboots", functools.partial(crash, reboots=True)),
] + [_debian(*row) for row in itertools.product(("current", "older"), ("q35", "pc"), ("direct", "uefi"), (1, 4))]
