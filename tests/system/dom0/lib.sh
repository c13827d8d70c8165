# SPDX-License-Identifier: MIT
#
# What scripts in dom0 share: small guests that boot to a busybox shell on their console, and talking
# to them through it.
# shellcheck shell=bash

LAB=/run/lab
CONSOLES=/var/log/xen/console

# Writes NAME.cfg; further lines of it are arguments and override the usual ones.
config() { # name line...
    local name=$1
    shift
    cat >"$name.cfg" <<EOF
name = "$name"
kernel = "$LAB/guest.elf"
ramdisk = "$LAB/guest.img"
extra = "console=hvc0 quiet cryptomgr.notests -- sh"
memory = 96
vcpus = 1
EOF
    printf '%s\n' "$@" >>"$name.cfg"
}

# Runs a command again and again until it succeeds. The time limit is generous: it is emulated.
within() { # seconds command...
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        if [ $SECONDS -ge $end ]; then
            echo "gave up waiting for: $*" >&2
            return 1
        fi
        sleep 0.5
    done
}

console() { echo "$CONSOLES/guest-$1.log"; } # name

# Waits until a line of the guest's console begins so, and prints it; costs no time meanwhile.
console_says() { # name beginning [seconds]
    local line reader end=$((SECONDS + ${3:-60}))
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

# Creates a guest out of NAME.cfg and waits for its init.
guest_up() { # name [option of xl create...]
    local name=$1
    shift
    rm -f "$(console "$name")"
    [ -e "$name.cfg" ] || config "$name"
    xl create "$name.cfg" "$@" && console_says "$name" "wirt-init kernel="
}

guest_gone() { ! xl domid "$1" >/dev/null 2>&1; } # name

# Types a command at the guest's shell; prints what it said, returns its status.
say() { # name command
    local log mark terminal
    log=$(console "$1") mark=mark-$RANDOM$RANDOM
    terminal=$(xenstore-read "/local/domain/$(xl domid "$1")/console/tty") || return
    # The shell echoes the line, where the mark stands in two pieces.
    printf '%s\n' "echo; echo ${mark%%-*}''-${mark#*-}; $2" "echo ${mark%%-*}''-${mark#*-}=\$?" >"$terminal"
    console_says "$1" "$mark=" >/dev/null || return
    tr -d '\r' <"$log" | sed -n "/^$mark\$/,/^$mark=/p" | sed "1d;\$d" | grep -v "^[/~].* # "
    return "$(tr -d '\r' <"$log" | sed -n "s/^$mark=//p")"
}
