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

check_processors() {
    $BIN/xen-cpuid -p
    xl info -n
    xenpm get-cpu-topology
    xl destroy look
}
