# SPDX-License-Identifier: MIT
#
# What xl does to a running guest, and what becomes of one that crashes.
# shellcheck shell=bash

memory_is() { [ "$(xl list "$1" | awk 'NR == 2 { print $3 }')" = "$2" ]; } # name MiB

# The MiB that the guest itself believes to have, without its kernel's.
guest_mib() { say "$1" "awk '/MemTotal/ { print int(\$2 / 1024) }' /proc/meminfo"; } # name

domid_is_not() { local now; now=$(xl domid "$1") && [ "$now" != "$2" ]; } # name id

check_start() {
    config work 'memory = 128' 'maxmem = 160' 'vcpus = 2'
    guest_up work
    say work '[ $(nproc) = 2 ]'
}

check_mem_set() {
    local before
    before=$(guest_mib work)
    xl mem-set work 96
    within 30 memory_is work 96
    [ "$(guest_mib work)" -le $((before - 30)) ]
    xl mem-set work 144
    within 30 memory_is work 144
    [ "$(guest_mib work)" -ge $((before + 14)) ]
    xl mem-set work 128
    within 30 memory_is work 128
}

# Linux takes a processor away by itself, and leaves it to its user to take one into use.
check_vcpu_set() {
    xl vcpu-set work 1
    within 20 say work '[ $(nproc) = 1 ]'
    xl vcpu-set work 2
    within 20 say work 'echo 1 >/sys/devices/system/cpu/cpu1/online'
    say work '[ $(nproc) = 2 ]'
}

check_vcpu_pin() {
    xl vcpu-pin work 0 0
    xl vcpu-list work | grep -qE '^work +[0-9]+ +0 .* 0 / all'
    xl vcpu-pin work all all
    xl vcpu-list work | grep -qE '^work +[0-9]+ +0 .* all / all'
    say work true
}

check_rename() {
    local id
    id=$(xl domid work)
    xl rename work other
    [ "$(xl domname "$id")" = other ]
    xl rename other work
    [ "$(xl domid work)" = "$id" ]
}

check_describe() {
    xl list -l work | python3 -c 'import json, sys; assert json.load(sys.stdin)[0]["config"]["c_info"]["name"] == "work"'
    xl uptime work | grep -q '^work '
    xl cpupool-list | grep -qE '^Pool-0 '
    xentop -b -i 1 | grep -qw work
}

check_sysrq() {
    xl sysrq work h
    within 20 grep -q 'sysrq: HELP' "$(console work)"
}

check_trigger() {
    xl trigger work nmi
    say work true
    fails xl trigger work nonsense
}

# The whole memory of a guest that goes on running.
check_dump_core() {
    xl dump-core work core
    [ "$(head -c 4 core | tail -c 3)" = ELF ]
    [ "$(stat -c %s core)" -gt $((128 << 20)) ]
    rm core
    say work true
}

check_reboot() {
    local id
    id=$(xl domid work)
    rm "$(console work)"
    xl reboot work
    console_says work 'wirt-init kernel=' 120
    domid_is_not work "$id"
    say work true
    xl destroy work
}

check_crash_destroy() {
    config crash 'on_crash = "destroy"'
    guest_up crash
    tell crash 'echo c >/proc/sysrq-trigger'
    within 60 guest_gone crash
}

check_crash_preserve() {
    config crash 'on_crash = "preserve"'
    guest_up crash
    tell crash 'echo c >/proc/sysrq-trigger'
    crashed() { [[ $(state crash) == *c* ]]; }
    within 60 crashed
    xl destroy crash
}

check_crash_restart() {
    local id
    config crash 'on_crash = "restart"'
    guest_up crash
    id=$(xl domid crash)
    sleep 10 # xl does not restart a guest that dies at once, again and again
    rm "$(console crash)"
    tell crash 'echo c >/proc/sysrq-trigger'
    console_says crash 'wirt-init kernel=' 120
    domid_is_not crash "$id"
    xl destroy crash
}

check_crash_coredump() {
    config crash 'on_crash = "coredump-destroy"'
    mkdir -p /var/lib/xen/dump # where xl puts it; Debian makes no such folder
    guest_up crash
    tell crash 'echo c >/proc/sysrq-trigger'
    within 120 guest_gone crash
    [ "$(stat -c %s /var/lib/xen/dump/crash)" -gt $((80 << 20)) ]
    rm /var/lib/xen/dump/crash
}
