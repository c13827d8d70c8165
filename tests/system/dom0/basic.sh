# SPDX-License-Identifier: MIT
#
# What everybody does first: one guest with a disk and a network card from its creation to its end,
# then ten at once.
# shellcheck shell=bash

check_info() {
    xl info
    xl info | grep -q '^xen_major *: 4$'
    xl info | grep -q '^xen_minor *: 17$'
    xl info | grep -q '^xen_caps *: .*xen-3.0-x86_64'
    [ "$(xl info free_memory)" -gt 256 ]
}

check_list() {
    xl list
    xl list | grep -qE '^Domain-0 +0 +[0-9]+ +[0-9]+ +r-----'
    xl vcpu-list | grep -qE '^Domain-0 +0 +0 '
    xl uptime | grep -q '^Domain-0 '
    xenstore-read /local/domain/0/name | grep -qx Domain-0
}

check_dmesg() {
    [ "$(xl dmesg | wc -l)" -gt 5 ]
    xl debug-keys h
    xl dmesg | grep -qE "'h' pressed|key 'm'" # ours lists what it has
}

check_top() {
    xentop -b -i 2 -d 1 -v -n -x
    xentop -b -i 1 | grep -q Domain-0
}

check_create() {
    head -c 8M /dev/urandom >/tmp/disk.img
    config one "disk = [ 'phy:$(losetup -f --show /tmp/disk.img),xvda,w' ]" "vif = [ 'bridge=xenbr0' ]"
    guest_up one
    [[ $(state one) =~ ^[r-][b-]----$ ]]
}

# Input and output through the console's terminal, and through xl console.
check_console() {
    say one 'echo $((6 * 7))' | grep -qx 42
    { sleep 3; echo 'echo $((7 * 8))'; within 20 grep -q '^56' seen; printf '\035'; } |
        timeout $((60 * PATIENCE)) script -qfec 'xl console one' seen
    grep -q '^56' seen
}

# A sum of the disk as dom0 wrote it, and of what the guest writes.
check_disk() {
    say one 'sha256sum </dev/xvda' | grep -q "^$(sum_of /tmp/disk.img) "
    say one 'dd if=/dev/urandom of=/dev/xvda bs=64k count=128 conv=fsync'
    say one 'echo 3 >/proc/sys/vm/drop_caches; sha256sum </dev/xvda' | grep -q "^$(sum_of /tmp/disk.img) "
}

# Pings, and a file in both directions, by HTTP.
check_net() {
    say one 'ip addr add 10.1.0.11/24 dev eth0 && ip link set eth0 up'
    within 20 ping -c 1 -W 1 10.1.0.11
    mkdir -p /tmp/www
    head -c 4M /dev/urandom >/tmp/www/file
    "$LAB/busybox" httpd -p 10.1.0.1:8000 -h /tmp/www
    say one 'wget -q -O /tmp/file http://10.1.0.1:8000/file && sha256sum </tmp/file' | grep -q "^$(sum_of /tmp/www/file) "
    say one 'httpd -p 8000 -h /tmp'
    wget -q -O back http://10.1.0.11:8000/file
    cmp back /tmp/www/file
}

check_pause() {
    xl pause one
    [[ $(state one) == -[-b]p--- ]] # blocked, perhaps, until its next timer
    local before
    before=$(xl list one | awk 'NR == 2 { print $6 }')
    sleep 3
    [ "$(xl list one | awk 'NR == 2 { print $6 }')" = "$before" ]
    fails ping -c 1 -W 2 10.1.0.11
    xl unpause one
    say one 'echo awake' | grep -qx awake
}

check_shutdown() {
    timeout $((60 * PATIENCE)) xl shutdown -w one
    within 20 guest_gone one
    losetup -D
    free_kib >free-before # now that dom0 has all the tables that it needs
}

# To its init and back, with the terminal on the guest's console.
check_create_console() {
    config back 'extra = "console=hvc0 quiet cryptomgr.notests"'
    script -qec 'xl create -c back.cfg' /dev/null | tee output
    grep -q 'wirt-init kernel=' output
    grep -q 'wirt-done' output
    within 20 guest_gone back
}

check_destroy() {
    config two
    guest_up two
    xl destroy two
    guest_gone two
    within 20 free_is "$(cat free-before)"
}

check_ten() {
    local guest
    for guest in ten{0..9}; do
        config $guest
        create $guest
    done
    for guest in ten{0..9}; do console_says $guest 'wirt-init kernel=' 120; done
    [ "$(xl list | grep -c '^ten')" = 10 ]
    for guest in ten{0..9}; do say $guest "echo I am $guest" | grep -qx "I am $guest"; done
    for guest in ten{0..9}; do xl destroy $guest; done
    within 60 free_is "$(cat free-before)" 64
}
