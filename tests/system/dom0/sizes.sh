# SPDX-License-Identifier: MIT
#
# The largest guest and the smallest. Debian's kernel wants 80 MiB, on any hypervisor; the small one is
# images/mksmall's.
# shellcheck shell=bash

check_mib_8192() {
    config large 'memory = 8192' 'vcpus = 2'
    guest_up large
    say large "awk '/MemTotal/ { print int(\$2 / 1024) }' /proc/meminfo" >mib
    cat mib
    [ "$(cat mib)" -gt 7600 ]
    xl destroy large
    guest_gone large
}

# It has told dom0 its name when it is up, and answers on port 7 with what it has left.
small() { # MiB KiB left at least
    config small "memory = $1" "kernel = \"$LAB/vmlinux\"" "ramdisk = \"$LAB/small.cpio\"" "vif = [ 'bridge=xenbr0' ]" \
        'extra = "console=hvc0 quiet addr=10.1.0.61/24 host=10.1.0.1 name=small"'
    rm -f heard
    "$LAB/busybox" nc -l -p 7 >heard &
    create small
    within 30 grep -qx small heard
    within 20 "$LAB/busybox" nc -w 5 10.1.0.61 7 </dev/null >left
    cat left
    [ "$(sed 's/^small //' left)" -gt "$2" ]
    [ "$(xl list small | awk 'NR == 2 { print $3 }')" = "$1" ]
    xl destroy small
    guest_gone small
}

check_mib_64() { small 64 40000; }
check_mib_24() { small 24 4000; }
