# SPDX-License-Identifier: MIT
"""Quality of service: what guests reach beside antisocial ones, how well rate limits and caps hold,
and how late an interactive guest runs beside busy ones. `guests` and `kernel` measure, for
bench/isolation; the tests judge by a clock that counts instructions, so by nothing that this host does."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from case import Test, require
from dom0 import Dom0
from lab import TOP
from machine import Machine

COUNTED = ("-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01T00:00:00,clock=vm")
LOAD, KERNEL = "build/bench/load", "build/bench/sched.elf"
# Transactions and requests a second, and what is in time, in ms. By its own clock the emulated machine is some ten times slower.
PACE, PACE_REALTIME = "120 100 50", "12 10 500"
LOAD_FIELDS = ("arrivals", "done", "in_time", "50", "90", "99", "100")


def build(what):
    subprocess.run(["make", "-s", "-C", TOP, what], check=True, stdout=subprocess.DEVNULL)


def is_number(word):
    return re.fullmatch(r"-?[\d.]+", word)


def archive():
    """What the guests have beyond those of images/mksmall: the loads, and how one asks for them."""
    build(LOAD)
    with tempfile.TemporaryDirectory() as tree:
        os.makedirs(tree + "/bin")
        shutil.copy(f"{TOP}/{LOAD}", tree + "/bin/load")
        for overlay in ("images/small/overlay", "bench/isolation/overlay"):
            shutil.copytree(f"{TOP}/{overlay}", tree, dirs_exist_ok=True)
        os.chmod(tree + "/etc/start", 0o755)
        files = subprocess.run(["find", "."], cwd=tree, check=True, stdout=subprocess.PIPE).stdout
        return subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=tree, check=True, input=files,
                              stdout=subprocess.PIPE).stdout


def guests(lab, phases, seconds, counted=True, limit=1200):
    """Runs dom0/isolation.py. A dictionary: ("load", phase, "db" or "web") gives numbers by LOAD_FIELDS,
    ("ran", phase, domain) percent of a CPU, ("rate", kind) and ("cap",) what is due and what was seen."""
    script = (". /run/lab/lib.sh\ncp $LAB/{vmlinux,vmlinuz,small.cpio,flood.img,load} /tmp\n"
              f"PYTHONPATH=/usr/lib/xen-4.17/lib/python python3 -B $LAB/isolation.py {seconds} "
              f"{PACE if counted else PACE_REALTIME} {' '.join(phases)}\n")
    machine = {"devices": COUNTED} if counted else {"cpus": 2, "hv_args": "dom0_mem=1024M dom0_max_vcpus=1"}
    more, found = archive(), {}
    with Dom0(lab, script, **machine) as vm:
        vm.add_small(more)
        shutil.copy(f"{TOP}/{LOAD}", vm.share)
        with open(vm.share + "/flood.img", "wb") as out, open(vm.share + "/guest.img", "rb") as image:
            out.write(more + image.read())
        end = time.monotonic() + limit
        while ("end",) not in found:
            line = vm.expect(r"(?m)^isolation ([^\r\n]*)\r*\n", end - time.monotonic()).group(1).decode()
            print(f"{time.monotonic() - vm.started:4.0f} s: {line}", file=sys.stderr, flush=True)
            words = line.split()
            numbers = [float(word) for word in words if is_number(word)]
            found[tuple(word for word in words if not is_number(word))] = numbers
    for key, numbers in found.items():
        if key[0] == "load":
            found[key] = dict(zip(LOAD_FIELDS, numbers))
    return found


def kernel(lab, words, hv_args=""):
    """What bench/sched/latency.c prints, by name. words: "latency", "caps" or both."""
    build(KERNEL)
    with Machine(lab, kernel=f"{TOP}/{KERNEL}", kernel_args=words, modules="kernel", initrd="none",
                 hv_args=f"dom0_mem=128M {hv_args}", mem=1024, devices=COUNTED) as vm:
        vm.expect("HC end 0", 900)
        return {name.decode(): int(value) for name, value in re.findall(rb"HC (\w+) (\d+)\r*\n", vm.console)}


def within(what, due, seen, percent):
    require(abs(seen - due) <= due * percent / 100, f"{what}: {seen:g}, not {due:g}")


def check_guests(lab):
    """The limits of SPECIFICATION.md, Scheduling."""
    subprocess.run([TOP + "/scripts/deps", "kernel"], check=True)
    found = guests(lab, ("idle", "both"), 4)
    for name, percent in (("db", 4), ("web", 2)):
        alone, beside = (found["load", phase, name]["in_time"] for phase in ("idle", "both"))
        require(alone > 0 and beside >= alone * (100 - percent) / 100, f"{name} lost too much: {alone:g}, beside both {beside:g}")
        within(f"{name}, percent of a CPU", found["ran", "idle", name][0], found["ran", "both", name][0], percent)
    for key in (("rate", "tcp"), ("rate", "udp"), ("cap",)):
        within(" ".join(key), *found[key], 5)


def check_kernel(lab):
    """Caps, and that who wants less than its share does not wait longer than the allowance. With a warp a burst of
    4 ms, which is within its limit, is not interrupted."""
    found = kernel(lab, "latency caps")
    for cap in (10, 20, 30):
        within(f"cap {cap}", cap * 100, found[f"cap_time_{cap}"], 1)
        within(f"cap {cap}, work", cap * 100, found[f"cap_work_{cap}"], 2)
    bounds = {f"late_{task}_{who}_{variant}_100": ms for task in ("brief", "burst") for who in ("spin", "nap")
              for variant, ms in (("plain", 0.85), ("warp", 0.85), ("r100", 0.15), ("warp100", 0.15))}
    bounds |= {f"took_burst_{who}_warp_100": 5 for who in ("spin", "nap")}
    for name, ms in bounds.items():
        require(found[name] <= ms * 1e6, f"{name}: {found[name]} ns")


TESTS = [
    Test("isolation", check_guests, named=True),
    Test("scheduling-latency", check_kernel, ours=True),
]
