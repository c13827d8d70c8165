# SPDX-License-Identifier: MIT
#
# A hundred guests one after the other, and not a page is lost.
# shellcheck shell=bash

one_life() { # configuration
    xl create -p "$1.cfg"
    xl unpause "$1"
    xl destroy "$1"
}

check_hundred() {
    config life
    one_life life
    free_kib >free-before
    for _ in {1..100}; do one_life life; done >/dev/null
    within 20 free_is "$(cat free-before)"
}
