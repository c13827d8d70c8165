# SPDX-License-Identifier: MIT
"""In dom0: a database and a web server in two small guests, beside two guests that first idle and then
do the worst they can. Prints lines `isolation KEY VALUE...` for tests/system/isolation.py.

  python3 isolation.py SECONDS DB_RATE WEB_RATE DEADLINE_MS PHASE...

PHASE: idle (nobody else does anything), flood, bomb (one of them does), both, warp (both, while the
well-behaved ones and dom0 may warp: Wirt only), r100 (both, with a rate limit of 0.1 ms). All guests
have the same weight, dom0, which carries their I/O, twice as much."""

import socket
import subprocess
import sys
import threading
import time

from small import HOST, TRIES, address, domains, listen, ran, start, wait_for

PORT = 8            # of a guest: takes one line, a job
DOM0_WEIGHT = 512
GUESTS = {"db": 1, "web": 2, "flood": 3, "bomb": 4}
DISKS = ("db", "flood")
RATE = 1000000      # bytes a second, of the guest bomb's network card
RATES = (("tcp", 3), ("udp", 3))
CAP = 30            # percent of a CPU, of the guest bomb
# wirt-sched: MCUADV (2560 / weight) WARPBACK WARPVALUE WARPL WARPU
WARP = {"db": "10 1 10000 5000 10000", "web": "10 1 10000 5000 10000", "Domain-0": "5 1 10000 5000 10000"}
# A stock Debian kernel, because the small one has no file system.
FLOOD = ('kernel = "/tmp/vmlinuz"', 'ramdisk = "/tmp/flood.img"', 'disk = [ "phy:/dev/ram1,xvda,w" ]',
         'extra = "console=hvc0 quiet cryptomgr.notests addr={address}/24 host={host} name=flood -- modprobe -a '
         'xen_blkfront xen_netfront crc32c_generic ext4; sh /etc/start; nc -ll -p 8 -e /etc/job"')


def say(key, *values):
    print("isolation", key, *(f"{value:.2f}" if isinstance(value, float) else value for value in values), flush=True)


def up(listener, name, memory, *lines):
    """Creates a guest and waits until it is up."""
    for _ in range(TRIES):
        if start(name, GUESTS[name], memory, *lines):
            break
    if not wait_for(listener, name):
        sys.exit(f"isolation: guest {name} does not come up")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            socket.create_connection((address(GUESTS[name]), PORT), timeout=20).close()
            return
        except OSError:
            time.sleep(0.1)  # its init has still to start what listens
    sys.exit(f"isolation: guest {name} takes no job")


def job(name, line):
    """Has the guest do a job; what it says when it is done."""
    with socket.create_connection((address(GUESTS[name]), PORT), timeout=300) as link:
        link.sendall(line.encode() + b"\n")
        return link.makefile().readline().split()


def domid(name):
    return int(subprocess.run(["xl", "domid", name], check=True, stdout=subprocess.PIPE, text=True).stdout)


# ---- rate limit ------------------------------------------------------------------------------

def received(card):
    """Bytes of frames that the guest has sent."""
    with open(f"/sys/class/net/{card}/statistics/rx_bytes") as file:
        return int(file.read())


def sink(listener):
    link, _ = listener.accept()
    with link:
        while link.recv(1 << 20):
            pass


def rate(kind, seconds):
    """What of its rate the guest bomb gets through: bytes a second, of frames, once what it had saved up is gone."""
    with socket.create_server((HOST, 9)) as listener, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        datagrams.bind((HOST, 9))
        threading.Thread(target=sink, args=(listener,), daemon=True).start()
        sender = threading.Thread(target=job, args=("bomb", f"{kind} {HOST} 9 {seconds + 2}"))
        sender.start()
        time.sleep(1)
        card = f"vif{domid('bomb')}.0"
        bytes_before, begun = received(card), time.monotonic()
        time.sleep(seconds)
        say("rate", kind, RATE, (received(card) - bytes_before) / (time.monotonic() - begun))
        sender.join()


# ---- phases ----------------------------------------------------------------------------------

def client(words):
    command = ["/tmp/load", "web", address(GUESTS["web"]), *words]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.split()


def disk_of(number):
    """Requests and KiB that the guest's disk has served."""
    folder = f"/sys/bus/xen-backend/devices/vbd-{number}-51712/statistics/"  # xvda
    counts = {}
    for name in ("rd_req", "wr_req", "f_req", "rd_sect", "wr_sect"):
        with open(folder + name) as file:
            counts[name] = int(file.read())
    return (counts["rd_req"] + counts["wr_req"] + counts["f_req"], (counts["rd_sect"] + counts["wr_sect"]) / 2)


def measure(phase, seconds, rates, deadline, ids):
    """Runs both well-behaved loads for so long; says what they reached and what each domain ran in percent of a CPU."""
    answers = {}
    db, web = ([str(rate), str(seconds), str(deadline)] for rate in rates)
    threads = [threading.Thread(target=lambda: answers.update(db=job("db", "db /dev/xvda " + " ".join(db)))),
               threading.Thread(target=lambda: answers.update(web=client(web)))]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    before, disks, begun = domains(), [disk_of(ids[name]) for name in DISKS], time.monotonic()
    time.sleep(seconds - 0.4)
    after, disks_after, percent = domains(), [disk_of(ids[name]) for name in DISKS], (time.monotonic() - begun) * 10
    for thread in threads:
        thread.join()
    for name in ("db", "web"):
        say("load", phase, name, *answers[name])
    for name, number in {"dom0": 0, **ids}.items():
        say("ran", phase, name, (ran(after, number) - ran(before, number)) / percent)
    for name, counts, counts_after in zip(DISKS, disks, disks_after):
        say("disk", phase, name, *((b - a) / percent * 10 for a, b in zip(counts, counts_after)))


def neighbours(phase, started):
    """Has those misbehave whom the phase names; the others are paused, or idle."""
    wanted = {"idle": (), "flood": ("flood",), "bomb": ("bomb",)}.get(phase, ("flood", "bomb"))
    for name, line in (("flood", "flood /tmp"), ("bomb", "bomb")):
        if name in wanted and name not in started:
            job(name, line)
            started[name] = True
        elif name in started and started[name] != (name in wanted):
            subprocess.run(["xl", "unpause" if name in wanted else "pause", name], check=True)
            started[name] = name in wanted
    time.sleep(0.5)


def warp(on):
    for name, parameters in WARP.items():
        mcuadv = parameters.split()[0]
        words = parameters.split() if on else [mcuadv, "0", "0", "0", "0"]
        subprocess.run(["/run/lab/wirt-sched", name, *words], check=True)


def cap(ids):
    """What of its cap a guest uses that wants all; the others idle."""
    subprocess.run(["xl", "sched-credit2", "-d", "bomb", "-c", str(CAP)], check=True)
    time.sleep(0.5)
    before, begun = domains(), time.monotonic()
    time.sleep(2)
    after, percent = domains(), (time.monotonic() - begun) * 10
    say("cap", CAP, (ran(after, ids["bomb"]) - ran(before, ids["bomb"])) / percent)
    subprocess.run(["xl", "sched-credit2", "-d", "bomb", "-c", "0"], check=True)


def create_all(listener):
    subprocess.run(["modprobe", "brd", "rd_nr=2", "rd_size=49152"], check=True)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "/dev/ram1"], check=True)
    subprocess.run(["xl", "sched-credit2", "-d", "Domain-0", "-w", str(DOM0_WEIGHT)], check=True)
    up(listener, "db", 32, 'disk = [ "phy:/dev/ram0,xvda,w" ]')
    up(listener, "web", 32)
    up(listener, "flood", 96, *(line.format(address=address(GUESTS["flood"]), host=HOST) for line in FLOOD))
    up(listener, "bomb", 40, f'vif = [ "bridge=xenbr0,rate={RATE * 8 // 1000000}Mb/s" ]')


def main():
    seconds, *rates, deadline = map(int, sys.argv[1:5])
    listener, started = listen(), {}
    create_all(listener)
    ids = {name: domid(name) for name in GUESTS}
    say("up", *ids.values())
    for kind, length in RATES:
        rate(kind, length)
    job("web", "httpd")
    last = None
    for phase in sys.argv[5:]:
        neighbours(phase, started)
        if "warp" in (phase, last):
            warp(phase == "warp")
        if phase == "r100":
            subprocess.run(["xl", "sched-credit2", "-s", "-r", "100"], check=True)
        measure(phase, seconds, rates, deadline, ids)
        last = phase
    neighbours("bomb", started)
    cap(ids)
    say("end", 0)


main()
