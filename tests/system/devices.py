# SPDX-License-Identifier: MIT
"""Devices that dom0 drives, moving real data that is compared by checksum with the host's copy."""

import base64
import functools
import hashlib
import http.server
import random
import tempfile
import threading

from case import Test, busybox, busybox_is_up, require

SIZE = 32 << 20
MORE = 1 << 20  # the second disk is this much larger, to tell them apart
DISKS = {
    "virtio": ("virtio_blk", ("virtio-blk-pci,drive=from", "virtio-blk-pci,drive=to")),
    "ahci": ("ahci", ("ahci,id=bus", "ide-hd,bus=bus.0,drive=from", "ide-hd,bus=bus.1,drive=to")),
}
NICS = {"virtio": "virtio-net-pci", "e1000e": "e1000e"}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def disk(lab, kind, **machine):
    """Reads a disk of random bytes and copies it to a second one: the guest's sum of the first and
    the host's sum of the second must both be right."""
    driver, devices = DISKS[kind]
    pattern = random.randbytes(SIZE)
    with tempfile.TemporaryDirectory() as work:
        options = []
        for name, content in (("from", pattern), ("to", bytes(SIZE + MORE))):
            with open(f"{work}/{name}", "wb") as file:
                file.write(content)
            options += ["-drive", f"file={work}/{name},format=raw,if=none,id={name}"]
        for device in devices:
            options += ["-device", device]
        with busybox(lab, f"disk {driver} {SIZE} {SIZE + MORE}", devices=options, **machine) as vm:
            busybox_is_up(vm, machine.get("cpus", 1))
            read = vm.expect(r"wirt-sum ([0-9a-f]{64})").group(1).decode()
            vm.expect("wirt-result 0")
            vm.expect_end("guest-shutdown")
        require(read == sha256(pattern), "the guest read other bytes than the host wrote")
        with open(f"{work}/to", "rb") as file:
            require(sha256(file.read(SIZE)) == sha256(pattern), "the host finds other bytes than the guest wrote")


class Server(http.server.ThreadingHTTPServer):
    """Hands out random bytes to a GET and notes the checksum of what a POST brings."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = base64.b64encode(random.randbytes(SIZE // 4))  # busybox cannot post a zero byte
        self.posted = None
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self._answer(self.server.content)

    def do_POST(self):
        self.server.posted = sha256(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(b"thanks")

    def _answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def net(lab, kind, **machine):
    """Fetches a file from a server on the host (10.0.2.2 in QEMU's user network) and sends it back."""
    driver = "virtio_net" if kind == "virtio" else kind
    with Server() as server:
        url = f"http://10.0.2.2:{server.server_address[1]}/"
        with busybox(lab, f"net {driver} {url}", devices=("-nic", f"user,model={NICS[kind]}"), **machine) as vm:
            busybox_is_up(vm, machine.get("cpus", 1))
            fetched = vm.expect(r"wirt-sum ([0-9a-f]{64})").group(1).decode()
            vm.expect("wirt-result 0")
            vm.expect_end("guest-shutdown")
        server.shutdown()
        require(fetched == sha256(server.content), "the guest received other bytes than the host sent")
        require(server.posted == fetched, "the host received other bytes than the guest sent")


def _test(name, run, quick=False, **machine):
    return Test(name, functools.partial(run, **machine), quick, cpus=machine.get("cpus", 1))


TESTS = [
    _test("disk-virtio", disk, quick=True, kind="virtio"),
    _test("disk-virtio-4cpu", disk, kind="virtio", cpus=4),
    _test("disk-ahci", disk, quick=True, kind="ahci"),
    _test("disk-ahci-pc-4cpu", disk, kind="ahci", machine="pc", cpus=4),
    _test("net-virtio", net, quick=True, kind="virtio"),
    _test("net-virtio-4cpu", net, kind="virtio", cpus=4),
    _test("net-e1000e", net, quick=True, kind="e1000e"),
    _test("net-e1000e-4cpu", net, kind="e1000e", cpus=4),
]
