# SPDX-License-Identifier: MIT
"""What the tests share: the hypervisor under test, images (built when first asked for), logs."""

import os
import subprocess
import threading

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LOGS = TOP + "/build/system-logs"


class Lab:
    """One for a run of tests; its methods may be called from several threads."""

    def __init__(self, hv, patience=1.0, check="*"):
        self.top, self.hv, self.patience, self.check = TOP, os.path.abspath(hv), patience, check
        self.accel = os.environ.get("ACCEL", "tcg")
        self.lock = threading.Lock()
        self.made = {}
        self.current = threading.local()

    def _once(self, key, make):
        with self.lock:
            slot = self.made.setdefault(key, {"lock": threading.Lock()})
        with slot["lock"]:
            if "value" not in slot:
                slot["value"] = make()
            return slot["value"]

    def image(self, variant):
        """The directory of a dom0 image variant: disk.img, vmlinuz, initrd.img, lib/modules."""
        command = [TOP + "/images/fetch", variant]
        return self._once(("image", variant),
                          lambda: subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())

    def busybox(self, variant, role="dom0"):
        """The busybox initrd with the drivers of that variant's kernel for a dom0 or a guest."""
        image = self.image(variant)
        return self._once(("busybox", variant, role), lambda: self._make_busybox(variant, image, role))

    def _make_busybox(self, variant, image, role):
        path = f"{LOGS}/busybox-{variant}-{role}.img"
        version = os.listdir(image + "/lib/modules")[0]
        subprocess.run([TOP + "/images/mkinitrd", path, image, version, role], check=True)
        return path

    def log_path(self):
        return f"{LOGS}/{self.current.name}.log"
