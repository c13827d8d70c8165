# SPDX-License-Identifier: MIT
#
# What bench/guest runs in dom0: prints `BENCH name figure` for each measurement.
# shellcheck shell=bash

. /run/lab/lib.sh
cd /root || exit 1

figure() { echo "BENCH $1 $2"; } # name number
now_ms() { echo $(($(date +%s%N) / 1000000)); }

# From xl create to the first line of the guest's init, and xl's own part of it.
create() {
    local start created
    config quick
    for _ in 1 2 3; do
        rm -f "$(console quick)"
        start=$(now_ms)
        xl create quick.cfg >/dev/null
        created=$(now_ms)
        console_says quick 'wirt-init kernel=' >/dev/null
        figure create_to_init "$(($(now_ms) - start))"
        figure create "$((created - start))"
        start=$(now_ms)
        xl destroy quick
        figure destroy "$(($(now_ms) - start))"
    done
}

# bench/ops.c as the only program of a guest.
ops() {
    config ops "ramdisk = \"$LAB/ops.cpio\"" 'extra = "console=hvc0 quiet cryptomgr.notests"' 'on_crash = "destroy"'
    rm -f "$(console ops)"
    xl create ops.cfg >/dev/null
    console_says ops 'BENCH end' 400 >/dev/null
    tr -d '\r' <"$(console ops)" | sed -n 's/^BENCH \([a-z_]*\) \([0-9]*\)$/BENCH ops_\1 \2/p' | grep -v ops_end
    xl destroy ops 2>/dev/null
}

# Seconds with a fraction to KiB/s of so many MiB.
rate() { awk -v mib="$1" '{ printf "%d\n", mib * 1024 / $1 }'; } # MiB

# A disk in dom0's memory, and a file by HTTP both ways: sequential, for fio and iperf3 need more than
# busybox.
transfers() {
    truncate -s 64M /tmp/ram.img
    mkdir -p /tmp/www
    truncate -s 32M /tmp/www/file
    config load 'memory = 160' "disk = [ 'phy:$(losetup -f --show /tmp/ram.img),xvdb,w' ]" "vif = [ 'bridge=xenbr0' ]"
    guest_up load >/dev/null
    figure disk_write_kib "$(say load 'time dd if=/dev/zero of=/dev/xvdb bs=1M oflag=direct count=64 2>&1' | awk '/^real/ { print $2 * 60 + $3 }' | rate 64)"
    figure disk_read_kib "$(say load 'time dd if=/dev/xvdb of=/dev/null bs=1M iflag=direct count=64 2>&1' | awk '/^real/ { print $2 * 60 + $3 }' | rate 64)"
    say load 'ip addr add 10.1.0.31/24 dev eth0; ip link set eth0 up; httpd -p 8000 -h /tmp; dd if=/dev/zero of=/tmp/file bs=1M count=32'
    within 20 ping -q -c 1 -W 1 10.1.0.31 >/dev/null
    "$LAB/busybox" httpd -p 10.1.0.1:8000 -h /tmp/www
    figure net_to_guest_kib "$(say load 'time wget -q -O /dev/null http://10.1.0.1:8000/file 2>&1' | awk '/^real/ { print $2 * 60 + $3 }' | rate 32)"
    figure net_to_dom0_kib "$({ time "$LAB/busybox" wget -q -O /dev/null http://10.1.0.31:8000/file; } 2>&1 |
        sed -n 's/^real.*m\([0-9.]*\)s/\1/p' | rate 32)"
    xl destroy load
}

create
ops
transfers
