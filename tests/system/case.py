# SPDX-License-Identifier: MIT
"""What a system test is, and the steps that several families of them share."""

import dataclasses
import typing

from machine import Failure, Machine


@dataclasses.dataclass(frozen=True)
class Test:
    name: str
    run: typing.Callable  # takes the Lab; raises Failure; may return a Result for each of its parts
    quick: bool = False   # belongs to `make test`, the rest to `make test-all`
    ours: bool = False    # only Wirt promises this: left out with --oracle
    named: bool = False   # Wirt does not pass it yet: runs when it is named, and with --oracle
    cpus: int = 1         # of the machine; one with several runs alone


class Result(typing.NamedTuple):
    name: str
    why: typing.Optional[str]  # it failed, or None
    seconds: float


def require(condition, why):
    if not condition:
        raise Failure(why)


def busybox_is_up(vm, cpus):
    """Waits for the busybox initrd to report, and checks that it is domain 0 with its processors."""
    found = int(vm.expect(r"wirt-init kernel=\S+ cpus=(\d+) ").group(1))
    require(found == cpus, f"dom0 has {found} processors, not {cpus}")
    kind = vm.expect(r"wirt-hypervisor type=(\S+) ").group(1).decode()
    require(kind == "xen", f"/sys/hypervisor/type reads {kind}")


def busybox(lab, command="", **machine):
    """A machine that boots the busybox initrd with a command for its /init."""
    kernel_args = "quiet" + (f" -- {command}" if command else "")
    return Machine(lab, kernel_args=kernel_args, **machine)
