# SPDX-License-Identifier: MIT
#
# What scripts in dom0 share: small guests that boot to a busybox shell on their console, and talking
# to them through it.
# shellcheck shell=bash

LAB=/run/lab
CONSOLES=/var/log/xen/console
PATIENCE=${PATIENCE:-1} # factor on every time limit

# Writes NAME.cfg; further lines of it are arguments and override the usual ones.
config() { # name line...
    local name=$1
    shift
    cat >"$name.cfg" <<EOF
name = "$name"
kernel = "$LAB/vmlinuz"
ramdisk = "$LAB/guest.img"
extra = "console=hvc0 quiet cryptomgr.notests -- modprobe -a xen_blkfront xen_netfront; sh"
memory = 80
vcpus = 1
EOF
    printf '%s\n' "$@" >>"$name.cfg"
}

# Runs a command again and again until it succeeds. The time limit is generous: it is emulated.
within() { # seconds command...
    local end=$((SECONDS + $1 * PATIENCE))
    shift
    until "$@"; do
        if [ $SECONDS -ge $end ]; then
            echo "gave up waiting for: $*" >&2
            return 1
        fi
        sleep 0.5
    done
}

# The shell's own ! is not heeded by set -e.
fails() { # command...
    if "$@"; then
        echo "should have failed: $*" >&2
        return 1
    fi
}

# Ends a check that cannot be made here.
skip() { # why
    echo "$*"
    exit 77
}

console() { echo "$CONSOLES/guest-$1.log"; } # name

# Waits until a line of the guest's console begins so, and prints it; costs no time meanwhile.
console_says() { # name beginning [seconds]
    local line reader end=$((SECONDS + ${3:-60} * PATIENCE))
    exec 3< <(exec tail -n +1 -F "$(console "$1")" 2>/dev/null)
    reader=$!
    while [ $SECONDS -lt $end ] && read -r -t $((end - SECONDS)) line <&3; do
        case $line in "$2"*) break ;; esac
    done
    kill $reader
    exec 3<&-
    case $line in
        "$2"*) echo "$line" ;;
        *) echo "guest $1 did not say '$2'" >&2 && return 1 ;;
    esac
}

# libxl gives a hotplug script 40 s, whatever PATIENCE is: on a busy host that is not always enough.
create() { # name [option of xl create...]
    local try name=$1
    shift
    for try in 1 2 3; do
        xl create "$name.cfg" "$@" >create.log 2>&1 && cat create.log && return
        cat create.log >&2
        grep -q 'because of timeout' create.log || return
    done
    return 1
}

# Creates a guest out of NAME.cfg and waits for its init.
guest_up() { # name [option of xl create...]
    local name=$1
    shift
    rm -f "$(console "$name")"
    [ -e "$name.cfg" ] || config "$name"
    create "$name" "$@" && console_says "$name" "wirt-init kernel="
}

guest_gone() { ! xl domid "$1" >/dev/null 2>&1; } # name

# The guest's state as xl list shows it: r, b, p, s, c, d and dashes.
state() { xl list "$1" | awk 'NR == 2 { print $5 }'; } # name

# KiB that the hypervisor has to give, to the page.
free_kib() {
    PYTHONPATH=/usr/lib/xen-4.17/lib/python python3 -c \
        'import xen.lowlevel.xc; print(xen.lowlevel.xc.xc().physinfo()["free_memory"])'
}

# As much as before? More tables of dom0's (event channels, grants in use) may be allowed for.
free_is() { # KiB [slack]
    local now
    now=$(free_kib)
    echo "free: $now KiB, before: $1 KiB"
    [ "$now" -le "$1" ] && [ "$now" -ge $(($1 - ${2:-0})) ]
}

sum_of() { sha256sum "$@" | cut -d ' ' -f 1; } # file, or standard input

terminal() { xenstore-read "/local/domain/$(xl domid "$1")/console/tty"; } # name

# Types a line at the guest's shell.
tell() { printf '%s\n' "$2" >"$(terminal "$1")"; } # name line

# Types a command at the guest's shell; prints what it said, returns its status.
say() { # name command
    local log mark terminal
    log=$(console "$1") mark=mark-$RANDOM$RANDOM
    terminal=$(terminal "$1") || return
    # The shell echoes the line, where the mark stands in two pieces.
    printf '%s\n' "echo; echo ${mark%%-*}''-${mark#*-}; $2" "echo ${mark%%-*}''-${mark#*-}=\$?" >"$terminal"
    console_says "$1" "$mark=" >/dev/null || return
    tr -d '\r' <"$log" | sed -n "/^$mark\$/,/^$mark=/p" | sed '1d; $d; /^[/~].* # /d'
    return "$(tr -d '\r' <"$log" | sed -n "s/^$mark=//p")"
}
