# SPDX-License-Identifier: MIT
#
# What bench/guest runs in dom0, two CPUs: hackbench, each group twenty senders to twenty receivers over socket
# pairs, in four guests of one vCPU with a group each, and in one guest of four vCPUs with four groups.
# shellcheck shell=bash

. /run/lab/lib.sh
cd /root || exit 1
modprobe virtio_rng
head -c 1 /dev/random >/dev/null

now_us() { echo $(($(date +%s%N) / 1000)); }

up() { # vcpus name...
    local name vcpus=$1
    shift
    for name; do
        config "$name" "vcpus = $vcpus" 'memory = 256'
        guest_up "$name" >/dev/null || return
        say "$name" 'export PATH=/bin:/usr/bin; nproc' | grep -qx "$vcpus" || return
    done
}

# From the first one's start to the last one's end, three times after a round to warm up.
hackbench() { # figure groups name...
    local name figure=$1 groups=$2 round start
    shift 2
    for round in 0 1 2 3; do
        start=$(now_us)
        for name; do tell "$name" "hackbench -g $groups -l 50 >/dev/null; echo round-$round"; done
        for name; do console_says "$name" "round-$round" 600 >/dev/null || return; done
        [ $round = 0 ] || echo "BENCH $figure $(($(now_us) - start))"
    done
}

copy() { cp "$LAB/vmlinuz" "$LAB/guest.img" /tmp && LAB=/tmp; } # the shared folder is slow by a counting clock

copy
up 1 a b c d && hackbench hackbench_1x4 1 a b c d
for name in a b c d; do xl destroy $name; done
up 4 wide && hackbench hackbench_4x1 4 wide
