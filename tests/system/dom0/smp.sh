# SPDX-License-Identifier: MIT
#
# Guests with several vCPUs under loads that use them all, and who gets how much when there are more
# vCPUs than CPUs.
# shellcheck shell=bash

# A guest with so many vCPUs; further lines are its configuration's.
smp_up() { # name vcpus line...
    local name=$1 vcpus=$2
    shift 2
    config "$name" "vcpus = $vcpus" "memory = 192" "$@"
    guest_up "$name"
    say "$name" 'mkdir -p /tmp/b; export PATH=/bin:/usr/bin; nproc' | grep -qx "$vcpus"
}

# When it was looked at, and CPU seconds that the domain has used.
used() { echo "$(cut -d ' ' -f 1 /proc/uptime) $(xl list "$1" | awk 'NR == 2 { print $6 }')"; } # name

# Percent of a CPU that each of the domains uses for about so many seconds.
use_within() { # seconds name...
    local end name before=()
    end=$(($(date +%s) + $1))
    shift
    for name; do before+=("$(used "$name")"); done
    within 60 test_date "$end"
    for name; do
        awk '{ printf "%d ", 100 * ($4 - $2) / ($3 - $1) }' <<<"${before[0]} $(used "$name")"
        before=("${before[@]:1}")
    done
    echo
}
test_date() { [ "$(date +%s)" -ge "$1" ]; } # seconds since 1970

between() { awk -v x="$1" -v low="$2" -v high="$3" 'BEGIN { exit !(x >= low && x <= high) }'; }

check_boot() {
    smp_up many 4
    [ "$(xl vcpu-list many | grep -c '^many ')" = 4 ]
}

# Messages between twenty processes and as many others.
check_hackbench() {
    say many 'hackbench -g 1 -l 60'
    say many 'hackbench -T -p -g 1 -l 60'
}

# The same files come out of make -j8 as of make.
check_build() {
    say many 'cd /tmp/b; for i in $(seq 24); do
        for j in $(seq 40); do echo "int f${i}_$j(int x) { return x * $i + $j ? f${i}_$j(x - 1) : $j; }"; done >$i.c; done
        printf "%%.o: %%.c\n\ttcc -c -o \$@ \$<\nall: \$(patsubst %%.c,%%.o,\$(wildcard *.c))\n" >Makefile
        make -s all && cat *.o | sha256sum >serial && rm ./*.o && make -s -j8 all && cat *.o | sha256sum | cmp - serial'
}

# Memory, futexes, signals, timers, threads and CPUs, each with its own check of what came out.
check_stress() {
    say many 'cd /tmp; stress-ng --cpu 2 --vm 2 --vm-bytes 8M --futex 2 --timer 1 --pthread 1 --mmap 1 --mmap-bytes 8M \
        --switch 2 --sigfd 1 --verify --timeout 8 --quiet'
}

# vCPUs leave and come back under load; the guest has nobody but us to bring a new one up.
check_hotplug() {
    tell many 'stress-ng --cpu 8 --timeout 600 --quiet &'
    xl vcpu-set --ignore-host many 1
    within 60 say many '[ $(nproc) = 1 ]'
    xl vcpu-set --ignore-host many 4
    for cpu in 1 2 3; do within 60 say many "echo 1 >/sys/devices/system/cpu/cpu$cpu/online"; done
    say many '[ $(nproc) = 4 ]'
    xl destroy many
}

# Two that never sleep, on one CPU: time by weight, and each sees what the other got as stolen.
check_weights() {
    smp_up light 1 'cpus = "0"'
    smp_up heavy 1 'cpus = "0"' "cpu_weight = 512"
    xl vcpu-pin Domain-0 all 0 || true
    tell light 'while :; do :; done &'
    tell heavy 'while :; do :; done &'
    read -r one two < <(use_within 12 light heavy)
    echo "light $one %, heavy $two %"
    between "$(awk -v a="$one" -v b="$two" 'BEGIN { print b / a }')" 1.6 2.4
    [ "$(say light "awk '/^cpu / { print (\$9 > 100) }' /proc/stat")" = 1 ]
}

# A cap is not exceeded although the CPU has time left, and is used up.
check_cap() {
    xl destroy light
    xl sched-credit2 -d heavy -c 40
    read -r one < <(use_within 12 heavy)
    echo "heavy $one %"
    between "$one" 34 44
    xl destroy heavy
}

# As many as the old interface has room for, on far fewer CPUs.
check_vcpus_32() {
    smp_up wide 32
    say wide 'hackbench -g 1 -l 20'
    xl destroy wide
}
