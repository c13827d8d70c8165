# SPDX-License-Identifier: MIT
"""In dom0: creates small guests one after the other with xl, waits for each to answer, then lets all
of them idle, creates one more, and asks all again. Prints lines `hundred KEY VALUE...` for
tests/system/hundred, times in milliseconds unless said otherwise.

  python3 hundred.py COUNT MEMORY_MIB IDLE_SECONDS

A guest answers when it has told that it is up (small.py) and its own port 7 then says hello."""

import ctypes
import os
import re
import socket
import subprocess
import sys
import time

from small import TRIES, address, domains, listen, ran, start, wait_for, xc

libxc = ctypes.CDLL("libxenctrl.so.4.17")
libxc.xc_interface_open.restype = ctypes.c_void_p
handle = ctypes.c_void_p(libxc.xc_interface_open(None, None, 0))


def say(key, *values):
    print("hundred", key, *(f"{value:.3f}" if isinstance(value, float) else value for value in values), flush=True)


def cpus_idle():
    """Milliseconds that each CPU had nothing to run."""
    idle, count = (ctypes.c_uint64 * 128)(), ctypes.c_int()
    if libxc.xc_getcpuinfo(handle, 128, idle, ctypes.byref(count)):
        sys.exit("hundred: xc_getcpuinfo failed")
    return [idle[cpu] / 1e6 for cpu in range(count.value)]


def process_ms(pid):
    """CPU time of a process, as dom0's scheduler counts it."""
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e6


def xenstored():
    names = ("xenstored", "oxenstored")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm") as file:
                if file.read().strip() in names:
                    return int(pid)
        except OSError:
            pass
    sys.exit("hundred: there is no xenstored")


def hello(number):
    """What the guest answers: its name and the KiB it has left. None if it does not."""
    try:
        with socket.create_connection((address(number), 7), timeout=20) as link:
            return link.makefile().readline().split()
    except OSError:
        return None


def answers(number, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = hello(number)
        if found and found[0] == f"guest-{number}":
            return int(found[1])
        time.sleep(0.02)  # its init has still to start what listens
    return None


def warm_up(memory, listener):
    """One guest that is destroyed again: what the tools and scripts read from the disk is in memory then."""
    for _ in range(TRIES):
        if start("guest-0", 0, memory) and wait_for(listener, "guest-0"):
            break
    else:
        sys.exit("hundred: no guest comes up")
    subprocess.run(["xl", "destroy", "guest-0"], check=True)


def create(number, memory, listener, store):
    """Creates a guest and waits for its answer; tells what the try that succeeded took. Whether it answers."""
    for _ in range(TRIES):
        before, store_before, begun = domains(), process_ms(store), time.monotonic()
        if start(f"guest-{number}", number, memory):
            break
        say("again", number)
    created = time.monotonic()
    left = answers(number) if wait_for(listener, f"guest-{number}") else None
    end, after = time.monotonic(), domains()
    if left is None:
        say("silent", number)
        return False
    guest = sum(ran(after, domid) for domid in after if domid not in before)
    say("guest", number, (created - begun) * 1e3, (end - begun) * 1e3, ran(after, 0) - ran(before, 0),
        process_ms(store) - store_before, guest, left)
    return True


def idle(what, seconds):
    """How much runs, and for whom, while nobody asks for anything: in percent of one CPU."""
    time.sleep(10)
    cpus, infos, start = cpus_idle(), domains(), time.monotonic()
    time.sleep(seconds)
    cpus_after, infos_after, percent = cpus_idle(), domains(), (time.monotonic() - start) * 10
    busy = sum(100 - (after - before) / percent for before, after in zip(cpus, cpus_after))
    spent = {domid: (ran(infos_after, domid) - ran(infos, domid)) / percent for domid in infos}
    say("idle", what, len(infos) - 1, busy, sum(spent.values()) - spent[0], spent[0])


def ping(what, number):
    """Round trips of twenty pings: smallest, mean, largest."""
    text = subprocess.run(["ping", "-q", "-c", "20", "-i", "0.2", address(number)], stdout=subprocess.PIPE, text=True).stdout
    found = re.search(r"= ([\d.]+)/([\d.]+)/([\d.]+)", text)
    say("ping", what, *(map(float, found.groups()) if found else ("none",)))


def memory_state(what):
    """KiB that are free, and KiB that domains other than dom0 have."""
    infos = domains()
    say("memory", what, xc.physinfo()["free_memory"], sum(info["mem_kb"] for domid, info in infos.items() if domid))


def request(what, store):
    """Microseconds of xenstored for one request, the mean of many reads."""
    count, before = 500, process_ms(store)
    subprocess.run(["xenstore-read"] + ["/local/domain/0/name"] * count, stdout=subprocess.DEVNULL, check=True)
    say("request", what, (process_ms(store) - before) / count * 1e3)


def ask_all(count):
    """All at the end: by ping and by hello."""
    good = 0
    for number in range(1, count + 1):
        pinged = subprocess.run(["ping", "-q", "-c", "3", "-W", "5", "-i", "0.2", address(number)], stdout=subprocess.DEVNULL)
        good += pinged.returncode == 0 and answers(number) is not None
    say("answering", good)


def main():
    count, memory, seconds = map(int, sys.argv[1:])
    listener = listen()
    store = xenstored()
    warm_up(memory, listener)
    request("alone", store)
    idle("alone", seconds)
    for number in range(1, count + 1):
        if number == 2:
            ping("first", 1)
            memory_state("one")
        create(number, memory, listener, store)
    memory_state("all")
    request("all", store)
    idle("all", seconds)
    if create(count + 1, memory, listener, store):
        ping("last", count + 1)
    ask_all(count + 1)
    subprocess.run(["xl", "debug-keys", "q"])
    say("end", 0)


main()
