# SPDX-License-Identifier: MIT
#
# A driver domain: the guest `driver` serves another one's disk and network card, with `xl devd`. Its
# kernel is dom0's, its programs come from /dev/vdb, a second copy of dom0's own disk. Its own card is
# `untrusted`, so that Linux copies what it sends: what comes from the other guest are pages granted to
# the driver domain, all but the first 128 bytes of a packet, and a granted page cannot be granted on.
# shellcheck shell=bash

in_driver() { say driver "chroot /mnt /bin/sh -c '$1'"; } # command

check_driver_up() {
    tar -C "$LAB" -cf /tmp/hotplug.tar hotplug
    config driver 'driver_domain = 1' 'memory = 256' "kernel = \"$(ls /boot/vmlinuz-*)\"" "ramdisk = \"$LAB/second.img\"" \
        "disk = [ 'phy:/dev/vdb,xvda,w', 'phy:$(losetup -f --show /tmp/hotplug.tar),xvdb,r' ]" "vif = [ 'bridge=xenbr0,untrusted' ]" \
        'extra = "console=hvc0 quiet cryptomgr.notests -- modprobe -a xen_blkfront xen_netfront crc32c_generic ext4; sh"'
    guest_up driver
    say driver 'ln -s /proc/self/fd /dev/fd; mkdir /mnt && mount -o noatime /dev/xvda /mnt'
    say driver 'for d in proc sys dev tmp; do mount -o bind /$d /mnt/$d; done; for d in run var/log; do mount -t tmpfs tmpfs /mnt/$d; done'
    say driver 'export PATH=/usr/sbin:/usr/bin:/bin; mkdir /mnt/var/log/xen; tar -C /mnt/run -xf /dev/xvdb'
    in_driver 'modprobe -a loop xen-evtchn xen-gntdev xen-privcmd xen-blkback xen-netback bridge'
    in_driver 'ip link add xenbr0 type bridge && ip addr add 10.1.0.40/24 dev xenbr0 && ip link set eth0 master xenbr0 up && ip link set xenbr0 up'
    within 20 ping -c 1 -W 1 10.1.0.40
}

# The disk is in the driver domain's memory.
check_devd() {
    in_driver 'head -c 8M /dev/urandom >/tmp/served.img && losetup /dev/loop0 /tmp/served.img'
    in_driver 'xl devd -p /run/devd.pid'
    within 20 in_driver 'test -e /run/devd.pid'
}

served_sum() { in_driver 'echo 3 >/proc/sys/vm/drop_caches; sha256sum /tmp/served.img' | cut -d ' ' -f 1; }

check_served_up() {
    config served "disk = [ 'backend=driver,format=raw,vdev=xvda,access=rw,script=/run/hotplug,target=/dev/loop0' ]" \
        "vif = [ 'backend=driver,script=/run/hotplug,bridge=xenbr0' ]"
    guest_up served
    xl block-list served
    xl network-list served
    [ "$(xenstore-read "/local/domain/$(xl domid served)/device/vbd/51712/backend-id")" = "$(xl domid driver)" ]
    [ "$(xenstore-read "/local/domain/$(xl domid served)/device/vif/0/backend-id")" = "$(xl domid driver)" ]
}

# A sum of the disk as its driver wrote it, and of what the guest writes.
check_disk() {
    say served 'sha256sum </dev/xvda' | grep -q "^$(served_sum) "
    say served 'dd if=/dev/urandom of=/dev/xvda bs=64k count=128 conv=fsync'
    say served 'echo 3 >/proc/sys/vm/drop_caches; sha256sum </dev/xvda' | grep -q "^$(served_sum) "
}

# A ping and a file there and back between the guest and dom0, through both bridges; a file there and back
# between the guest and the driver domain.
check_net() {
    say served 'ip addr add 10.1.0.41/24 dev eth0 && ip link set eth0 up'
    within 20 ping -c 1 -W 1 -s 1400 10.1.0.41
    mkdir -p www && head -c 2097152 /dev/urandom >www/file
    sum_of www/file >sum-sent
    "$LAB/busybox" httpd -p 10.1.0.1:8000 -h www
    say served 'wget -q -O /tmp/file http://10.1.0.1:8000/file; sha256sum </tmp/file' | grep -q "^$(cat sum-sent) "
    say served 'httpd -p 8000 -h /tmp'
    timeout 60 wget -q -O - http://10.1.0.41:8000/file | sha256sum | grep -q "^$(cat sum-sent) "
    say driver 'wget -q -O /tmp/file http://10.1.0.41:8000/file; sha256sum </tmp/file' | grep -q "^$(cat sum-sent) "
    say driver 'httpd -p 8000 -h /tmp'
    say served 'wget -q -O - http://10.1.0.40:8000/file | sha256sum' | grep -q "^$(cat sum-sent) "
}

# Taken away and given back while the guest runs.
check_attach() {
    xl block-detach served xvda
    within 20 say served '[ ! -e /dev/xvda ]'
    xl network-detach served 0
    within 20 say served '[ ! -e /sys/class/net/eth0 ]'
    xl block-attach served 'backend=driver,format=raw,vdev=xvdb,access=rw,script=/run/hotplug,target=/dev/loop0'
    within 20 say served '[ -e /dev/xvdb ]'
    say served 'sha256sum </dev/xvdb' | grep -q "^$(served_sum) "
}

# Who is served goes on when the one who serves is gone, and ends like others.
check_driver_gone() {
    xl destroy driver
    guest_gone driver
    say served true
    xl destroy served
    guest_gone served
    alone() { [ "$(xl list | wc -l)" = 2 ]; }
    within 20 alone
    losetup -D
}
