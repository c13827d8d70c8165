# SPDX-License-Identifier: MIT
#
# Disks, network cards and a screen that come and go; images that qemu serves; what two guests tell
# each other.
# shellcheck shell=bash

has() { say "$1" "[ -e $2 ]"; } # name path
has_not() { ! has "$@"; }

check_start() {
    config dev
    guest_up dev
}

check_block_attach() {
    local loop
    head -c 8M /dev/urandom >/tmp/live.img
    loop=$(losetup -f --show /tmp/live.img)
    xl block-attach dev "phy:$loop,xvdb,w"
    within 20 has dev /dev/xvdb
    xl block-list dev
    say dev 'sha256sum </dev/xvdb' | grep -q "^$(sum_of /tmp/live.img) "
    say dev 'dd if=/dev/urandom of=/dev/xvdb bs=64k count=128 conv=fsync'
    say dev 'echo 3 >/proc/sys/vm/drop_caches; sha256sum </dev/xvdb' | grep -q "^$(sum_of /tmp/live.img) "
    xl block-detach dev xvdb
    within 20 has_not dev /dev/xvdb
    losetup -d "$loop"
}

check_network_attach() {
    xl network-attach dev bridge=xenbr0
    within 20 has dev /sys/class/net/eth0
    xl network-list dev
    say dev 'ip addr add 10.1.0.21/24 dev eth0 && ip link set eth0 up'
    within 20 ping -c 1 -W 1 10.1.0.21
    xl network-detach dev 0
    within 20 has_not dev /sys/class/net/eth0
    fails ping -c 1 -W 2 10.1.0.21
}

# qcow2 and vhd: what qemu writes into them must be what the guest sent.
check_qdisk() {
    head -c 8M /dev/urandom >raw
    qemu-img convert -O qcow2 raw disk.qcow2
    qemu-img convert -O vpc -o force_size=on raw disk.vhd
    config qd "disk = [ 'format=qcow2,vdev=xvda,access=rw,target=$PWD/disk.qcow2',
        'format=vhd,vdev=xvdb,access=rw,target=$PWD/disk.vhd' ]" "vif = [ 'bridge=xenbr0' ]"
    guest_up qd
    say qd 'head -c 8388608 /dev/xvda | sha256sum' | grep -q "^$(sum_of raw) "
    say qd 'head -c 8388608 /dev/xvdb | sha256sum' | grep -q "^$(sum_of raw) "
    say qd 'head -c 8388608 /dev/urandom >/tmp/new; sha256sum </tmp/new' | cut -d ' ' -f 1 >sum
    say qd 'for d in a b; do dd if=/tmp/new of=/dev/xvd$d bs=64k conv=fsync; done'
}

# A file from one guest to another over the bridge.
check_between_guests() {
    xl network-attach dev bridge=xenbr0
    within 20 has dev /sys/class/net/eth0
    say dev 'ip addr add 10.1.0.21/24 dev eth0 && ip link set eth0 up && httpd -p 8000 -h /tmp'
    say qd 'ip addr add 10.1.0.22/24 dev eth0 && ip link set eth0 up'
    say dev 'head -c 4194304 /dev/urandom >/tmp/file; sha256sum </tmp/file' | cut -d ' ' -f 1 >sum-sent
    within 20 say qd 'ping -c 1 -W 1 10.1.0.21'
    say qd 'wget -q -O - http://10.1.0.21:8000/file | sha256sum' | grep -q "^$(cat sum-sent) "
}

check_qdisk_kept() {
    timeout $((60 * PATIENCE)) xl shutdown -w qd
    within 20 guest_gone qd
    qemu-img convert -O raw disk.qcow2 a.raw
    qemu-img convert -O raw disk.vhd b.raw
    [ "$(head -c 8M a.raw | sum_of)" = "$(cat sum)" ]
    [ "$(head -c 8M b.raw | sum_of)" = "$(cat sum)" ]
}

# A disk is taken away by force while the guest uses it: the guest gets an error and lives.
check_disk_vanishes() {
    local loop
    loop=$(losetup -f --show /tmp/live.img)
    xl block-attach dev "phy:$loop,xvdb,w"
    within 20 has dev /dev/xvdb
    say dev 'dd if=/dev/xvdb of=/dev/null bs=64k count=4'
    say dev 'sleep 1000 </dev/xvdb & true'
    xl block-detach --force dev xvdb
    fails say dev 'dd if=/dev/xvdb of=/dev/null bs=64k skip=64 count=4'
    say dev true
    losetup -D
    xl destroy dev
}

# What the guest paints, a VNC client sees.
check_framebuffer() {
    config fb 'vfb = [ "type=vnc,vnclisten=127.0.0.1,vncdisplay=5" ]' 'memory = 112'
    guest_up fb
    within 20 has fb /dev/fb0
    say fb 's=wirt; for i in 0 1 2 3 4 5 6 7; do s=$s$s; done; for i in $(seq 1875); do printf %s $s; done >/dev/fb0'
    within 30 python3 "$LAB/vnc.py" 5905 wirt
    xl destroy fb
}
