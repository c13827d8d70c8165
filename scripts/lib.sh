# SPDX-License-Identifier: MIT
#
# What the shell scripts of scripts/ and images/ share: where things live, how to complain, which
# accelerator works here. To be sourced; expects `set -euo pipefail` in the caller.

# shellcheck shell=bash disable=SC2034 # the variables are used by the scripts that source this
WIRT_TOP=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
WIRT_CACHE=${WIRT_CACHE:-$HOME/.cache/wirt}
PATH=$PATH:/usr/sbin:/sbin # mke2fs, modprobe: not in everybody's path on Debian

say() { echo "wirt: $*" >&2; }
die() { say "$*"; exit 1; }

# The hypervisor to boot: build/wirt, or any other with the same options.
hypervisor() {
    local hv=${HV:-$WIRT_TOP/build/wirt}
    [ -r "$hv" ] || die "no hypervisor at $hv: run make first, or set HV=path"
    echo "$hv"
}

# The command lines that suit the images: hypervisor first, dom0 second.
default_hv_args() {
    local dom0=${DOM0_MEM:-$((${MEM:-2048} / 2))}M
    echo "console=com1,vga com1=115200,8n1 dom0_mem=$dom0,max:$dom0"
}
default_kernel_args() { echo "console=hvc0 quiet root=LABEL=wirt-dom0 ro cryptomgr.notests"; }

# Does a KVM guest get past its firmware here? The node existing proves nothing, so boot a sector
# that writes 0x10 to the exit device, which ends QEMU with status 33.
probe_kvm() {
    local sector status=0
    [ -w /dev/kvm ] || return 1
    sector=$(mktemp)
    printf '\xba\xf4\x01\xb0\x10\xee\xf4' >"$sector" # mov dx, 0x1f4; mov al, 0x10; out dx, al; hlt
    truncate -s 510 "$sector"
    printf '\x55\xaa' >>"$sector"
    (timeout -s KILL 5 qemu-system-x86_64 -accel kvm -cpu host -m 64 -display none -serial none -monitor none \
        -device isa-debug-exit,iobase=0x1f4,iosize=1 -drive "file=$sector,format=raw,if=floppy" -boot a \
        </dev/null || status=$?; exit "$status") >/dev/null 2>&1 || status=$?
    rm -f "$sector"
    [ "$status" = 33 ]
}

# kvm or tcg, as ACCEL wants; `auto` probes once per boot of this machine.
accelerator() {
    local boot note=$WIRT_CACHE/accelerator answer=tcg
    case ${ACCEL:-auto} in
        kvm | tcg) echo "$ACCEL"; return ;;
        auto) ;;
        *) die "ACCEL=$ACCEL: must be auto, kvm or tcg" ;;
    esac
    boot=$(cat /proc/sys/kernel/random/boot_id)
    if [ "$(cut -d' ' -f1 "$note" 2>/dev/null || true)" != "$boot" ]; then
        if probe_kvm; then answer=kvm; fi
        mkdir -p "$WIRT_CACHE"
        echo "$boot $answer" >"$note"
    fi
    cut -d' ' -f2 "$note"
}
