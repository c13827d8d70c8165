# SPDX-License-Identifier: MIT
#
# The scheduler as the tools see it: weights, caps, rate limit, affinity, CPU pools, CPUs offline; and
# wirt-sched. The machine has three CPUs, dom0 one vCPU.
# shellcheck shell=bash

# Seconds of CPU time that the guest has had, with a decimal.
seconds_of() { xl list "$1" | awk 'NR == 2 { print $6 }'; } # name

runs() { # name
    local before
    before=$(seconds_of "$1")
    more() { awk -v a="$before" -v b="$(seconds_of "$1")" 'BEGIN { exit b <= a }'; }
    within 20 more "$1"
}

cpus_are() { [ "$(xl info | awk '$1 == "nr_cpus" { print $3 }')" = "$1" ]; } # number

on_cpu() { xl vcpu-list "$1" | awk 'NR > 1 { print $4 }' | grep -qx "$2"; } # name cpu

check_start() {
    config work 'vcpus = 2'
    guest_up work
    guest_up other
    for guest in work other; do say $guest 'for i in 1 2; do while :; do :; done & done'; done
    runs work
    runs other
}

check_credit2() {
    xl sched-credit2 | grep -qE '^work +[0-9]+ +256 +0'
    xl sched-credit2 -d work -w 512 -c 40
    xl sched-credit2 -d work | grep -qE '^work +[0-9]+ +512 +40'
    fails xl sched-credit2 -d work -c 201
    fails xl sched-credit2 -d work -w 65536
    xl sched-credit2 -d work | grep -qE '^work +[0-9]+ +512 +40'
    fails xl sched-credit -d work
}

# 40 percent of a CPU in ten seconds are 4 s; two vCPUs without a cap would have up to 20.
check_cap() {
    local before after
    before=$(seconds_of work)
    sleep 10
    after=$(seconds_of work)
    echo "from $before to $after"
    awk -v a="$before" -v b="$after" 'BEGIN { exit !(b - a > 0.5 && b - a < 8) }'
    xl sched-credit2 -d work -w 256 -c 0
    xl sched-credit2 -d work | grep -qE '^work +[0-9]+ +256 +0'
}

check_ratelimit() {
    xl sched-credit2 -s -r 2000
    xl sched-credit2 -s | grep -q 'ratelimit=2000us'
    fails xl sched-credit2 -s -r 50
    fails xl sched-credit2 -s -r 500001
    xl sched-credit2 -s -r 0
    xl sched-credit2 -s -r 1000
    xl sched-credit2 -s | grep -q 'ratelimit=1000us'
}

check_pin() {
    xl vcpu-pin work all 2
    within 10 on_cpu work 2
    xl vcpu-list work | grep -qE ' 2 / all'
    fails xl vcpu-pin work 0 7
    xl vcpu-pin work all all 1
    xl vcpu-list work | grep -qE ' all / 1'
    xl vcpu-pin work all all all
    runs work
}

check_offline() {
    xen-hptool cpu-offline 2
    cpus_are 2
    fails on_cpu work 2
    runs work
    runs other
    xen-hptool cpu-offline 1
    cpus_are 1
    runs work
    fails xen-hptool cpu-offline 0
    xen-hptool cpu-online 1
    xen-hptool cpu-online 2
    cpus_are 3
    xl cpupool-list | grep -qE '^Pool-0 +3 '
    say work true
}

check_cpupool() {
    xl cpupool-cpu-remove Pool-0 2
    printf '%s\n' 'name = "second"' 'sched = "credit"' 'cpus = ["2"]' >second.cfg
    xl cpupool-create second.cfg
    xl cpupool-list | grep -qE '^second +1 +credit '
    xl cpupool-migrate other second
    xl cpupool-list | grep -qE '^second +1 +credit .* 1$'
    within 10 on_cpu other 2
    runs other
    # Both are refused, and only one of them says so by its status.
    xl cpupool-cpu-remove second 2 || true
    xl cpupool-destroy second || true
    xl cpupool-list | grep -qE '^second +1 +credit .* 1$'
}

check_credit() {
    xl sched-credit -p second | grep -qE '^other +[0-9]+ +256 +0'
    xl sched-credit -d other -w 300 -c 50
    xl sched-credit -d other | grep -qE '^other +[0-9]+ +300 +50'
    xl sched-credit -s -p second -t 10 -r 500
    xl sched-credit -s -p second | grep -q 'tslice=10ms ratelimit=500us'
    fails xl sched-credit -s -p second -t 1001
    runs other
}

check_in_pool() {
    config third 'pool = "second"'
    guest_up third
    on_cpu third 2
    xl destroy third
}

check_wirt_sched() {
    local id
    id=$(xl domid work)
    "$LAB/wirt-sched" --help | grep -q '^SYNOPSIS'
    "$LAB/wirt-sched" "$id" 20 1 50000 5000 100000
    "$LAB/wirt-sched" work | grep -q "^work ($id): mcuadv 20, warpback 1, warpvalue 50000, warpl 5000, warpu 100000$"
    "$LAB/wirt-sched" work | grep -qE '^    vcpu 1: cpu [0-9], avt [0-9.]+, evt '
    xl sched-credit2 -d work | grep -qE '^work +[0-9]+ +128 '
    runs work
    fails "$LAB/wirt-sched" work 0 0 0 0 0
    fails "$LAB/wirt-sched" nobody
    fails "$LAB/wirt-sched" other # in a pool with another scheduler
    "$LAB/wirt-sched" work 10 0 0 0 0
    "$LAB/wirt-sched" 0 | grep -q '^Domain-0 (0): mcuadv 10, '
}

check_pools_end() {
    xl cpupool-migrate other Pool-0
    xl cpupool-destroy second
    xl cpupool-cpu-add Pool-0 2
    xl cpupool-list | grep -qE '^Pool-0 +3 '
    runs other
}

check_null() {
    xl cpupool-cpu-remove Pool-0 2
    printf '%s\n' 'name = "own"' 'sched = "null"' 'cpus = ["2"]' >own.cfg
    xl cpupool-create own.cfg
    xl cpupool-migrate other own
    within 10 on_cpu other 2
    runs other
    say other true
    xl cpupool-migrate other Pool-0
    xl cpupool-destroy own
    xl cpupool-cpu-add Pool-0 2
    xl destroy other
    xl destroy work
}
