# SPDX-License-Identifier: MIT
#
# What can go wrong: refused guests, mad frontends, killed daemons. A guest that runs all the time must not notice.
# shellcheck shell=bash

dmesg_has() { dmesg | grep -qi -- "$1"; } # pattern

# xl create must fail in time, say something that contains the word, and leave no domain and nothing
# allocated behind.
refused() { # word line of the configuration...
    local word=$1
    shift
    config bad "$@"
    fails timeout $((60 * PATIENCE)) xl create bad.cfg >output 2>&1
    cat output
    grep -qi -- "$word" output
    guest_gone bad
    within 20 free_is "$(cat free-before)"
    say good true
}

check_start() {
    config good
    guest_up good
    free_kib >free-before
}

wirt() { [ "$(cat /sys/hypervisor/version/extra)" = .wirt ]; }

# Wirt's console names the domain, the value and the limit.
told() { ! wirt || xl dmesg | grep -q "$1"; } # pattern

check_kernel_is_noise() {
    head -c 1M /dev/urandom >noise
    refused 'error' "kernel = \"$PWD/noise\""
}

check_kernel_is_cut() {
    head -c 1M "$LAB/vmlinuz" >cut
    refused 'error' "kernel = \"$PWD/cut\""
}

check_kernel_is_missing() { refused 'No such file' 'kernel = "/nowhere"'; }
check_too_much_memory() {
    refused 'memory' 'memory = 1000000'
    told 'domain [0-9]*: 102[0-9]* KiB asked for, [0-9]* KiB free, has 0 of at most 102[0-9]* (error -12)'
}

check_too_little_memory() { refused 'error' 'memory = 4'; }
check_too_many_vcpus() {
    refused 'error' 'vcpus = 10000' # by xl itself
    wirt || return 0 # Xen has room for more
    refused 'error' 'vcpus = 200'
    told 'domain [0-9]*: number of vCPUs 200 is not in 1 to 128 (error -22)'
}

# A guest needs one for the store and one for its console.
check_too_few_ports() {
    refused 'error' 'max_event_channels = 1'
    told 'domain [0-9]* gets no port for domain 0: the highest is 1 (error -28)'
}

check_too_high_an_interrupt() {
    refused 'error' 'irqs = [ 99 ]'
    told 'domain [0-9]* gets no interrupt 99 (error -22)'
}

# A machine with one CPU has none to be placed on but that.
check_cpu_is_missing() {
    refused 'error' 'cpus = "5"'
    xl vcpu-pin --force good 0 5 || true # xl looks for itself
    xl cpupool-cpu-remove Pool-0 0 || true # says nothing by its status
    told 'CPU pool 0: operation 5 on 0 is refused: it has CPUs 1, [0-9]* domains (error -16)'
}

# What Xen has and Wirt has not.
check_tsc_is_emulated() {
    wirt || skip 'Xen can do that'
    refused 'error' 'tsc_mode = "always_emulate"'
    told 'domain [0-9]*: TSC mode 1 is not in 0 to 0 (error -95)'
}

check_disk_is_missing() { refused 'No such file' "disk = [ 'phy:/dev/nowhere,xvda,w' ]"; }
check_bridge_is_missing() { refused 'error' "vif = [ 'bridge=nowhere' ]"; }
check_config_is_nonsense() { refused 'syntax\|error' 'this is not a setting'; }

check_name_is_taken() {
    fails xl create good.cfg
    say good true
}

ring() { # name device entry in the store...
    local id=$1 device=$2 entry
    shift 2
    for entry; do
        python3 "$LAB/nonsense.py" "$id" "$(xenstore-read "/local/domain/$id/device/$device/$entry")"
    done
}

# What a mad frontend's rings hold: whoever serves it gives up on it, and on nobody else.
check_rings_of_nonsense() {
    local id
    head -c 8M /dev/urandom >mad.img
    config mad "disk = [ 'phy:$(losetup -f --show mad.img),xvda,w' ]" "vif = [ 'bridge=xenbr0' ]"
    guest_up mad
    say mad 'ip addr add 10.1.0.51/24 dev eth0 && ip link set eth0 up && [ -e /dev/xvda ]'
    within 20 ping -c 1 -W 1 10.1.0.51
    id=$(xl domid mad)
    ring "$id" vbd/51712 ring-ref
    ring "$id" vif/0 tx-ring-ref rx-ring-ref
    tell mad '(dd if=/dev/urandom of=/dev/xvda bs=64k count=16 conv=fsync &); ping -c 3 10.1.0.1'
    within 30 dmesg_has "vif$id.0.*disabling\|vif$id.0: .*rror\|frontend.*ogus\|blkback.*$id"
    fails ping -c 2 -W 2 10.1.0.51
    say good true
    python3 "$LAB/nonsense.py" "$id" 0 # xenconsoled's
    tell mad 'echo nobody hears me'
    say good true
    python3 "$LAB/nonsense.py" "$id" 1 # xenstored's
    xenstore-ls >/dev/null
    say good true
    timeout $((120 * PATIENCE)) xl destroy mad
    guest_gone mad
    losetup -D
    config next
    guest_up next
    xl destroy next
    say good true
}

check_xenconsoled_killed() {
    kill -9 "$(pidof xenconsoled)"
    xl list good
    sleep 1
    /usr/lib/xen-4.17/bin/xenconsoled --log=guest --pid-file /run/xenconsoled.pid
    within 20 say good true
}

# The disk of that guest stands still, but it can be destroyed.
check_qemu_killed() {
    qemu-img create -f qcow2 q.qcow2 8M
    config qd "disk = [ 'format=qcow2,vdev=xvda,access=rw,target=$PWD/q.qcow2' ]"
    guest_up qd
    say qd '[ -e /dev/xvda ]' # the disk is there: only then the shell starts
    kill -9 "$(xenstore-read "/local/domain/$(xl domid qd)/image/device-model-pid")"
    say qd true
    say good true
    timeout $((120 * PATIENCE)) xl destroy qd
    guest_gone qd
}

# The last one: xenstored cannot be started again. xl waits for it for ever; guests run on.
check_xenstored_killed() {
    local terminal
    terminal=$(terminal good)
    kill -9 "$(pidof oxenstored)"
    fails timeout $((10 * PATIENCE)) xl create good.cfg
    echo 'echo still-$((40 + 2))' >"$terminal"
    console_says good still-42
}
