# SPDX-License-Identifier: MIT
"""What the tests share: the hypervisor under test, images (built when first asked for), logs."""

import lzma
import os
import struct
import subprocess
import threading

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LOGS = TOP + "/build/system-logs"


class Lab:
    """One for a run of tests; its methods may be called from several threads."""

    def __init__(self, hv, patience=1.0):
        self.top, self.hv, self.patience = TOP, os.path.abspath(hv), patience
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

    def guest_kernel(self, variant):
        """That variant's kernel as a plain ELF file, which saves a toolstack the unpacking."""
        image = self.image(variant)
        return self._once(("elf", variant), lambda: self._unpack_kernel(image + "/vmlinuz", f"{LOGS}/{variant}.elf"))

    def _unpack_kernel(self, packed, path):
        with open(packed, "rb") as file:
            data = file.read()
        offset, length = struct.unpack_from("<II", data, 0x248)  # Linux' boot protocol: payload_offset, _length
        start = (data[0x1F1] + 1) * 512 + offset
        with open(path, "wb") as file:
            file.write(lzma.LZMADecompressor().decompress(data[start:start + length]))
        return path

    def log_path(self):
        return f"{LOGS}/{self.current.name}.log"
