# SPDX-License-Identifier: MIT
#
# What bench/guest runs in dom0: prints `BENCH name figure` for each measurement.
# shellcheck shell=bash

. /run/lab/lib.sh
cd /root || exit 1

# Who waits for random numbers waits by the clock; have them before the first measurement.
modprobe virtio_rng
head -c 1 /dev/random >/dev/null

figure() { echo "BENCH $1 $2"; } # name number
now_us() { echo $(($(date +%s%N) / 1000)); }

# From xl create to the first line of the guest's init, and xl's own part of it. Out of memory: while
# QEMU reads for the shared folder, a counting machine's clock leaps to the next timer.
creation() {
    local start created
    cp "$LAB/vmlinuz" "$LAB/guest.img" /tmp
    config quick 'kernel = "/tmp/vmlinuz"' 'ramdisk = "/tmp/guest.img"'
    for _ in 1 2 3; do
        rm -f "$(console quick)"
        start=$(now_us)
        xl create quick.cfg >/dev/null
        created=$(now_us)
        console_says quick 'wirt-init kernel=' >/dev/null
        figure create_to_init "$(($(now_us) - start))"
        figure create "$((created - start))"
        start=$(now_us)
        xl destroy quick
        figure destroy "$(($(now_us) - start))"
    done
}

# What the hypervisor has less to give, beyond the domain's own pages. Once before it counts: dom0's tables
# grow with the first guest.
memory() {
    local before
    config idle 'memory = 256'
    for _ in 1 2; do
        before=$(free_kib)
        xl create -p idle.cfg >/dev/null
        figure hypervisor_kib "$((before - $(free_kib) - $(memory_kib "$(xl domid idle)")))"
        xl destroy idle
        within 60 guest_gone idle
    done
}

# KiB that the domain has, to the page.
memory_kib() { # domid
    PYTHONPATH=/usr/lib/xen-4.17/lib/python python3 -c \
        "import xen.lowlevel.xc; print(xen.lowlevel.xc.xc().domain_getinfo($1, 1)[0]['mem_kb'])"
}

# bench/ops.c as the only program of a guest.
ops() {
    config ops "ramdisk = \"$LAB/ops.cpio\"" 'extra = "console=hvc0 quiet norandmaps"' 'memory = 256' 'on_crash = "destroy"'
    rm -f "$(console ops)"
    xl create ops.cfg >/dev/null
    console_says ops 'BENCH end' 400 >/dev/null
    tr -d '\r' <"$(console ops)" | sed -n 's/^BENCH \([a-z_]*\) \([0-9]*\)$/BENCH ops_\1 \2/p' | grep -v ops_end
    xl destroy ops 2>/dev/null
}

# A guest with a disk in dom0's memory, and one with fio and iperf3.
worker() { # name number
    config "$1" 'memory = 256' "disk = [ 'phy:/dev/ram$2,xvdb,w', 'phy:/dev/vdb,xvdc,r' ]" "vif = [ 'bridge=xenbr0' ]"
    guest_up "$1" >/dev/null || return
    say "$1" 'modprobe -a crc32c_generic ext4; mkdir -p /root; until mount -t ext4 -o ro,noload /dev/xvdc /root; do sleep 1; done'
    say "$1" "ip link set lo up; ip addr add 10.1.0.3$2/24 dev eth0; ip link set eth0 up"
    within 60 ping -q -c 1 -W 1 "10.1.0.3$2" >/dev/null
}

# One process for all jobs, as starting fio takes longer than a job.
disk() {
    local line kind
    say one '/root/run fio --minimal /root/disk.fio' | while IFS=';' read -r -a line; do
        kind=${line[2]}
        case $kind in
            seq_read) figure "disk_${kind}_kib" "${line[6]}" ;;
            seq_write) figure "disk_${kind}_kib" "${line[47]}" ;;
            rand_read) figure "disk_${kind}_iops" "${line[7]%.*}" ;;
            rand_write) figure "disk_${kind}_iops" "${line[48]%.*}" ;;
        esac
    done
}

received() { awk '/receiver/ { for (i = 2; i <= NF; i++) if ($i == "KBytes/sec") printf "%d\n", $(i - 1) }'; }

network() {
    local client="iperf3 -f K -t $TRANSFER_SECONDS -c 10.1.0.31"
    say one '(while /root/run iperf3 -s -1 >/dev/null; do :; done) </dev/null & sleep 2'
    cp -r "$LAB/tools" /tmp
    # shellcheck disable=SC2086 # words
    {
        figure net_to_guest_kib "$(/tmp/tools/run $client | received)"
        sleep 2
        figure net_to_dom0_kib "$(/tmp/tools/run $client -R | received)"
        sleep 2
    }
    worker two 2
    figure net_between_guests_kib "$(say two "/root/run $client" | received)"
}

creation
memory
ops
modprobe brd rd_nr=3 rd_size=65536
worker one 1 && disk && network
