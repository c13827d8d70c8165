# SPDX-License-Identifier: MIT
#
# The programs that Debian's xen-utils brings to test what it stands on, and those that only look.
# shellcheck shell=bash

BIN=/usr/lib/xen-4.17/bin

check_test_xenstore() { $BIN/test-xenstore; }
check_test_resource() { $BIN/test-resource; }
check_test_cpu_policy() { $BIN/test-cpu-policy; }

check_xenstore_tools() {
    xenstore-write /local/domain/0/wirt/a 1 /local/domain/0/wirt/b 2
    [ "$(xenstore-read /local/domain/0/wirt/b)" = 2 ]
    [ "$(xenstore-list /local/domain/0/wirt | wc -l)" = 2 ]
    xenstore-rm /local/domain/0/wirt
    fails xenstore-read /local/domain/0/wirt/a
}

check_event_channels() {
    config look
    guest_up look
    $BIN/lsevtchn 0 | grep -q Interdomain
    $BIN/lsevtchn "$(xl domid look)" | grep -q Interdomain
}

check_contexts() { $BIN/xenctx "$(xl domid look)" 0 | grep -q '^rip:'; }

check_depriv_fd_checker() {
    python3 "$LAB/depriv.py" "$(xl domid look)" | tee verdicts
    [ "$(grep -c ' pass ' verdicts)" = 3 ]
    fails grep ' fail ' verdicts
}

check_tools_that_look() {
    local id
    id=$(xl domid look)
    xl uptime look
    xl debug-keys q
    xl dmesg | grep -q 'domain'
    xentop -b -i 1 | grep -qw look
    xenpm get-cpuidle-states
    # Debian builds Xen without counters.
    [ "$(cat /sys/hypervisor/version/extra)" != .wirt ] || xenperf -f | grep -q hypercalls
    $BIN/xen-mfndump dump-p2m "$id" | grep -q 'pfn=0x0 ==> mfn='
    fails $BIN/xen-hptool cpu-online 0 # it is
    $BIN/xen-diag gnttab_query_size "$id" | grep -q max_nr_frames
    timeout -s INT 5 $BIN/xentrace -D -e all trace || true
    [ "$(stat -c %s trace)" -gt 4096 ]
}

check_processors() {
    $BIN/xen-cpuid -p
    xl info -n
    xenpm get-cpu-topology
    xl destroy look
}
