# SPDX-License-Identifier: MIT
"""What `make run` leaves its user with: dom0's login, a guest beside it that is reached by its console and
by the network, and words that say so. scripts/run itself is started, with its defaults."""

from case import Test, require
from machine import Machine

GUEST = r"wirt-guest:~# "


class Run(Machine):
    def __init__(self, lab, **variables):
        for variant in ("tools", "guest"):  # building takes longer than QEMU is waited for
            lab.image(variant)
        super().__init__(lab, kernel="scripts/run has", initrd="its own")
        qemu_args = (f"-no-reboot -chardev socket,id=qmp,path={self.work}/qmp -mon chardev=qmp,mode=control"
                     f" -d cpu_reset -D {self.work}/qemu.log")
        words = dict(variables, HV=self.hv, ACCEL=lab.accel, QEMU_ARGS=qemu_args)
        self.command = ["env", *(f"{name}={word}" for name, word in words.items()), lab.top + "/scripts/run"]

    def _boot_options(self):
        return []

    def __exit__(self, *arguments):
        try:  # to kill scripts/run would leave its QEMU behind
            self.monitor.sendall(b'{"execute": "quit"}\n')
            self.ended(20)
        except OSError:
            pass
        super().__exit__(*arguments)


def log_in(vm, name):
    vm.send("")
    vm.expect(f"{name} login: ", 120)
    vm.send("root")
    vm.expect(f"{name}:~# ")


def guest_beside_dom0(lab):
    with Run(lab) as vm:
        vm.expect(r"Domain-0 +0 +1024 +2 ", 300)
        vm.expect(r"guest +\d+ +256 +1 ")
        vm.expect(r"The guest's console: xl console guest")
        vm.expect(r"To leave: poweroff, or Ctrl-A X")
        vm.expect(r"wirt-dom0 login: ")
        log_in(vm, "wirt-dom0")
        vm.run("until ping -q -c 1 -W 1 guest >/dev/null; do :; done", timeout=240)
        vm.send("xl console guest")
        log_in(vm, "wirt-guest")
        for host in ("dom0", "10.0.2.2"):
            require(" 0% packet loss" in vm.run(f"ping -q -c 2 {host}", GUEST), f"the guest does not reach {host}")
        vm.run("head -c 4M /dev/urandom >file; sync; sha256sum file >sum; echo 3 >/proc/sys/vm/drop_caches", GUEST)
        require("file: OK" in vm.run("sha256sum -c sum", GUEST), "the guest's disk lost data")
        vm.send("\x1d", end="")  # is heeded only when it comes alone
        vm.expect(r":~# ")
        vm.send("poweroff")
        vm.expect_end("guest-shutdown", 120)


TESTS = [Test("run-guest", guest_beside_dom0, quick=True, ours=True, cpus=2)]
