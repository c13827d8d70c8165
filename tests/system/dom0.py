# SPDX-License-Identifier: MIT
"""A dom0 with Debian's unmodified Xen tools, booted without systemd (see dom0/init) to run one
script and power off. It shares the folder build/system-logs/NAME.lab with the host: the script and
what it needs go in, logs come out."""

import os
import shutil
import subprocess

from machine import Machine

HERE = os.path.dirname(os.path.abspath(__file__))


class Dom0(Machine):
    """`commands` is a bash script. Its first line runs when the tools are up. The image variant
    `second_disk` is /dev/vdb, and second.img boots a guest with its kernel; `small` are the kernel and initramfs
    of a guest that wants little memory."""

    def __init__(self, lab, commands, *, variant="tools", guest="guest", second_disk=None, small=False, cpus=1, mem=3072,
                 kernel_args="", hv_args="dom0_mem=1024M", devices=(), **machine):
        image = lab.image(variant)
        self.share = lab.log_path()[:-len(".log")] + ".lab"
        disks = [image] + ([lab.image(second_disk)] if second_disk else [])
        options = ["-virtfs", f"local,path={self.share},mount_tag=lab,security_model=none,id=lab"]
        for disk in disks:
            options += ["-drive", f"file={disk}/disk.img,format=raw,if=virtio,snapshot=on"]
        super().__init__(lab, kernel=image + "/vmlinuz", initrd=lab.busybox(variant), cpus=cpus, mem=mem,
                         kernel_args=f"quiet {kernel_args} -- exec lab", hv_args=hv_args,
                         devices=(*options, *devices), **machine)
        self._fill(lab, commands, guest)
        if second_disk:
            shutil.copy(lab.busybox(second_disk, "guest"), self.share + "/second.img")
        if small:
            shutil.copy(lab.image("small") + "/vmlinux", self.share)
            subprocess.run([lab.top + "/images/mksmall", "initrd", self.share + "/small.cpio"], check=True)

    def _fill(self, lab, commands, guest):
        shutil.rmtree(self.share, ignore_errors=True)
        shutil.copytree(HERE + "/dom0", self.share)
        shutil.copy("/bin/busybox", self.share)
        subprocess.run(["make", "-s", "-C", lab.top, "tools"], check=True, stdout=subprocess.DEVNULL)
        shutil.copy(lab.top + "/build/tools/wirt-sched", self.share)
        shutil.copy(lab.image("guest") + "/vmlinuz", self.share)
        shutil.copy(lab.busybox("guest", guest), self.share + "/guest.img")
        with open(self.share + "/commands", "w") as file:
            file.write(commands)

    def add_small(self, more=b""):
        """Small guests' kernel and initramfs (images/mksmall), and an archive that adds to it, for the script."""
        shutil.copy(self.lab.image("small") + "/vmlinux", self.share)
        subprocess.run([self.lab.top + "/images/mksmall", "initrd", self.share + "/small.cpio"], check=True)
        with open(self.share + "/small.cpio", "ab") as file:
            file.write(more)
