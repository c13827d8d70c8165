# SPDX-License-Identifier: MIT
"""Debian's Xen tools in dom0: each group is one boot and a list of checks (dom0/GROUP.sh), and each
check is counted as a test."""

import fnmatch
import functools
import re
import subprocess

from case import Result, Test
from dom0 import HERE, Dom0
from lab import TOP
from machine import Failure

CHECK = r"wirt-check (\w+) (ok|FAIL|skip) (\d+) ?([^\r\n]*)\r*\n"


def checks_of(group):
    with open(f"{HERE}/dom0/{group}.sh") as file:
        return re.findall(r"^check_(\w+)\(\) {", file.read(), re.M)


def run(lab, name, group, limit, needs=(), **machine):
    """Boots, runs the checks, powers off. One that was not reached has failed."""
    if needs:
        subprocess.run([TOP + "/scripts/deps", *needs], check=True)
    results, waiting = [], fnmatch.filter(checks_of(group), lab.check)
    commands = f"PATIENCE={max(1, round(lab.patience))} bash /run/lab/check {group} '{lab.check}' {limit}\n"
    try:
        with Dom0(lab, commands, **machine) as vm:
            vm.expect("wirt-tools-up", 120)
            while waiting:
                check, word, seconds, why = (part.decode() for part in vm.expect(CHECK, limit + 20).groups())
                note = f" (skipped: {why})" if word == "skip" else ""
                results.append(Result(f"xl-{name}/{check}{note}", why if word == "FAIL" else None, float(seconds)))
                waiting.remove(check)
            vm.expect_end("guest-shutdown")
    except Failure as failure:
        results += [Result(f"xl-{name}/{check}", f"not reached: {failure}", 0.0) for check in waiting or ["end"]]
    return results


def _group(name, quick=False, limit=280, named=True, group=None, **machine):
    return Test("xl-" + name, functools.partial(run, name=name, group=group or name, limit=limit, **machine), quick, named=named,
                cpus=machine.get("cpus", 1))


def _smp(cpus, **kind):
    return _group(f"smp-{cpus}cpu", group="smp", guest="smp", needs=("smp",), cpus=cpus, mem=4096, **kind)


TESTS = [
    _group("basic", quick=True, named=False, limit=600),
    _group("control", named=False, cpus=2, hv_args="dom0_mem=1024M dom0_max_vcpus=1"),
    _group("devices", named=False),
    _group("sched", cpus=3, hv_args="dom0_mem=1024M dom0_max_vcpus=1"),
    _group("boot", named=False, second_disk="guest"),
    _group("bad", named=False, limit=600),
    _group("conform", named=False),
    _group("driver", named=False, second_disk="tools"),
    _group("sizes", small=True, mem=11264),
    _group("libvirt", named=False, variant="libvirt"),
    _group("lives", limit=2400),
    _smp(1),
    _smp(2, quick=True, named=False),
    _smp(4),
]
