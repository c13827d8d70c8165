# SPDX-License-Identifier: MIT
"""In dom0: small guests (images/mksmall) made with xl, and what the hypervisor says of domains.

A guest tells that it is up by connecting to port 7 here and sending its name; so nothing has to ask
again and again, which would itself take time."""

import socket
import subprocess
import time

import xen.lowlevel.xc

HOST = "10.1.0.1"
FIRST_ADDRESS = 10  # of guest 1 in 10.1.0.0/24, minus one
PATIENCE = 300      # seconds for a guest to answer
# xl gives up, and undoes all, when the network script takes ten seconds: on a busy host it may, and with
# a clock that counts instructions, which leaps while the disk is waited for.
TRIES = 5

CONFIG = """name = "{name}"
kernel = "/tmp/vmlinux"
ramdisk = "/tmp/small.cpio"
extra = "console=hvc0 quiet addr={address}/24 host={host} name={name}"
memory = {memory}
vcpus = 1
vif = [ "bridge=xenbr0" ]
"""

xc = xen.lowlevel.xc.xc()


def listen():
    """Where guests tell that they are up."""
    return socket.create_server((HOST, 7), backlog=256)


def domains():
    """What the hypervisor says of each domain, by its number."""
    return {info["domid"]: info for info in xc.domain_getinfo(0, 1024)}


def ran(infos, domid):
    """Milliseconds of CPU time."""
    return infos[domid]["cpu_time"] / 1e6 if domid in infos else 0.0


def address(number):
    return f"10.1.0.{FIRST_ADDRESS + number}"


def wait_for(listener, name):
    """Waits until the guest of that name has connected."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        listener.settimeout(max(0.1, end - time.monotonic()))
        try:
            link, _ = listener.accept()
        except socket.timeout:
            return False
        with link:
            link.settimeout(20)
            if link.makefile().readline().strip() == name:
                return True
    return False


def start(name, number, memory, *lines):
    """Has xl create a guest, with further lines of its configuration; whether it could."""
    with open(f"/root/{name}.cfg", "w") as file:
        file.write(CONFIG.format(name=name, address=address(number), host=HOST, memory=memory))
        file.writelines(line + "\n" for line in lines)
    return subprocess.run(["xl", "create", "-q", f"/root/{name}.cfg"]).returncode == 0
