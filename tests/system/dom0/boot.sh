# SPDX-License-Identifier: MIT
#
# Kernels and the ways to them. /dev/vdb is the disk of a small Debian (images/mkdom0 guest).
# shellcheck shell=bash

WELCOME='Debian GNU/Linux 12 as a guest'
DISK="disk = [ 'phy:/dev/vdb,xvda,w' ]"

to_login_and_off() { # name
    create "$1"
    console_says "$1" "$WELCOME" 240
    timeout $((120 * PATIENCE)) xl shutdown -w "$1"
    within 20 guest_gone "$1"
}

# Debian's kernel for real machines, the one that dom0 runs.
check_generic_kernel() {
    config generic "kernel = \"$(ls /boot/vmlinuz-*)\"" 'memory = 128' 'extra = "console=hvc0 quiet cryptomgr.notests -- sh"'
    guest_up generic
    xl destroy generic
}

check_vcpus8() {
    config eight 'vcpus = 8' 'memory = 128'
    guest_up eight
    [ "$(say eight nproc)" = 8 ]
    [ "$(xl vcpu-list eight | grep -c '^eight')" = 8 ]
    xl destroy eight
}

# One by one up to 8 and back. Linux leaves it to its user to take one into use.
check_vcpu_set() {
    local count
    config steps 'maxvcpus = 8' 'vcpus = 1' 'memory = 128'
    guest_up steps
    for count in {2..8} 4 1; do
        xl vcpu-set --ignore-host steps $count
        within 30 say steps "for c in /sys/devices/system/cpu/cpu[0-9]*/online; do [ \$(cat \$c) = 1 ] || echo 1 >\$c; done 2>/dev/null; [ \$(nproc) = $count ]"
        [ "$(xl vcpu-list steps | grep -cE '^steps .* (-b-|r--|---) ')" = $count ]
    done
    xl destroy steps
}

check_memory_1g() {
    config large 'memory = 1024'
    guest_up large
    [ "$(say large "awk '/MemTotal/ { print int(\$2 / 1024) }' /proc/meminfo")" -gt 900 ]
    xl destroy large
}

check_debian() {
    mkdir -p guest-root
    mount -o ro,noload /dev/vdb guest-root
    cp guest-root/boot/initrd.img-* initrd
    umount guest-root
    config debian "ramdisk = \"$PWD/initrd\"" "$DISK" 'memory = 256' \
        'extra = "console=hvc0 quiet cryptomgr.notests root=/dev/xvda rw"'
    to_login_and_off debian
}

check_pygrub() {
    config pygrub "$DISK" 'memory = 256' 'bootloader = "pygrub"'
    sed -i '/^kernel\|^ramdisk\|^extra/d' pygrub.cfg
    to_login_and_off pygrub
}

# GRUB runs as a guest's kernel, reads the disk through its own frontend and replaces itself. It does
# not know LZ4, so it gets the kernel for real machines.
check_pv_grub() {
    mkdir -p guest-root
    mount /dev/vdb guest-root
    cp "$LAB/guest.img" guest-root/boot
    cp /boot/vmlinuz-* guest-root/boot/generic
    printf '%s\n' 'linux /boot/generic console=hvc0 cryptomgr.notests -- sh' 'initrd /boot/guest.img' boot >guest-root/boot/grub/grub.cfg
    umount guest-root
    config pvgrub "$DISK" 'memory = 256' 'kernel = "/usr/lib/grub-xen/grub-x86_64-xen.bin"'
    sed -i '/^ramdisk\|^extra/d' pvgrub.cfg
    create pvgrub
    console_says pvgrub 'wirt-init kernel=' 240
    xl destroy pvgrub
}
