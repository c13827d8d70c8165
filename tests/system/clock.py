# SPDX-License-Identifier: MIT
"""dom0's clocks against the host's."""

import functools
import time

from case import Test, busybox, busybox_is_up, require

# Emulated on a busy host, so wide; a clock that is off by a calibration error still stands out.
RATE_TOLERANCE = 0.02
DATE_TOLERANCE = 5.0


def stamp(vm, timeout):
    """One line of the guest's clocks: (host's monotonic time, guest's uptime, guest's date)."""
    match = vm.expect(r"wirt-clock (\d+\.\d+) (\d+)\s", timeout)
    return time.monotonic(), float(match.group(1)), float(match.group(2))


def rate(lab, seconds, cpus):
    """The guest stamps, sleeps, stamps: its uptime and its sleep must agree with the host's time."""
    with busybox(lab, f"clock {seconds}", cpus=cpus) as vm:
        busybox_is_up(vm, cpus)
        host, uptime, date = stamp(vm, 60)
        require(abs(date - time.time()) < DATE_TOLERANCE, f"the guest's date is off by {date - time.time():.1f} s")
        host_end, uptime_end, date_end = stamp(vm, 2 * seconds + 60)
        passed = host_end - host
        require(passed < seconds + DATE_TOLERANCE, f"a sleep of {seconds} s took {passed:.1f} s")
        for name, clock in (("uptime", uptime_end - uptime), ("date", date_end - date)):
            allowed = RATE_TOLERANCE * passed + (1 if name == "date" else 0.2)
            require(abs(clock - passed) < allowed, f"{name} advanced {clock:.2f} s in {passed:.2f} s")
        vm.expect("wirt-monotonic ok", 240)
        vm.expect_end("guest-shutdown")


TESTS = [
    Test("clock-1cpu", functools.partial(rate, seconds=60, cpus=1), quick=True),
    Test("clock-4cpu", functools.partial(rate, seconds=60, cpus=4), cpus=4),
]
