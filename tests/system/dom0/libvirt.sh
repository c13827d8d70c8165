# SPDX-License-Identifier: MIT
#
# libvirt beside xl: Debian's libvirtd with its driver for Xen.
# shellcheck shell=bash

vsh() { timeout $((60 * PATIENCE)) virsh -c xen:///system "$@"; } # command...
state_is() { [ "$(vsh domstate virt | head -n 1)" = "$1" ]; }     # words

memory_is() { vsh dominfo virt | grep -qE "^Used memory: +$1\$"; } # words

check_daemon() {
    mkdir -p /var/log/libvirt # it does not make one
    libvirtd -d
    within 30 vsh list
    vsh version | grep -q 'Running hypervisor: Xen 4.17.0'
    vsh nodeinfo
    vsh capabilities | grep -q xenpv
    vsh list --all | grep -qE '^ *0 +Domain-0 +running'
    vsh dominfo Domain-0 | grep -qE '^State: +running'
}

check_define() {
    head -c 8M /dev/urandom >/tmp/disk.img
    cat >virt.xml <<EOF
<domain type='xen'>
  <name>virt</name>
  <memory unit='MiB'>80</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='xenpv'>linux</type>
    <kernel>$LAB/vmlinuz</kernel>
    <initrd>$LAB/guest.img</initrd>
    <cmdline>console=hvc0 quiet cryptomgr.notests -- modprobe -a xen_blkfront xen_netfront; sh</cmdline>
  </os>
  <devices>
    <disk type='block' device='disk'>
      <driver name='phy'/>
      <source dev='$(losetup -f --show /tmp/disk.img)'/>
      <target dev='xvda' bus='xen'/>
    </disk>
    <interface type='bridge'><source bridge='xenbr0'/></interface>
    <console type='pty'><target type='xen' port='0'/></console>
  </devices>
</domain>
EOF
    vsh define virt.xml
    vsh list --all | grep -qE '^ *- +virt +shut off'
    vsh dumpxml virt | grep -q "machine='xenpv'"
}

check_start() {
    vsh start virt
    console_says virt 'wirt-init kernel=' 120
    state_is running
    xl list virt
}

check_dominfo() {
    vsh dominfo virt | tee info
    grep -qE '^Id: +[1-9]' info
    grep -qE '^OS Type: +xen$' info # libvirt's word for PV
    grep -qE '^CPU\(s\): +1$' info
    grep -qE '^Used memory: +81920 KiB$' info
    vsh vcpuinfo virt
    vsh domid virt | grep -qw "$(xl domid virt)"
}

check_disk_and_net() {
    say virt 'sha256sum </dev/xvda' | grep -q "^$(sum_of /tmp/disk.img) "
    say virt 'ip addr add 10.1.0.31/24 dev eth0 && ip link set eth0 up'
    within 20 ping -c 1 -W 1 10.1.0.31
}

check_console() {
    { sleep 3; echo 'echo $((7 * 8))'; within 20 grep -q '^56' seen; printf '\035'; } |
        timeout $((60 * PATIENCE)) script -qfec 'virsh -c xen:///system console virt' seen
    grep -q '^56' seen
}

check_suspend() {
    vsh suspend virt
    state_is paused
    [[ $(state virt) == -[-b]p--- ]]
    fails ping -c 1 -W 2 10.1.0.31
    vsh resume virt
    state_is running
    say virt 'echo awake' | grep -qx awake
}

check_memory() {
    vsh setmem virt 72M
    vsh dommemstat virt
    within 30 memory_is '73728 KiB'
    say virt true
}

check_shutdown() {
    vsh shutdown virt
    within 60 state_is 'shut off'
    within 20 guest_gone virt
}

check_destroy() {
    rm -f "$(console virt)"
    vsh start virt
    console_says virt 'wirt-init kernel=' 120
    vsh destroy virt
    state_is 'shut off'
    guest_gone virt
    losetup -D
}

check_undefine() {
    vsh undefine virt
    fails vsh dominfo virt
}
