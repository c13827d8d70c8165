# SPDX-License-Identifier: MIT
"""The rows of the comparison, the goals of issue 2, and the table they make. A figure is looked up
by (system, kind, name), where system is bare, xen or wirt, and kind is one of
  icount   instructions of an operation       hc_icount   instructions of a hypercall
  wall     nanoseconds of an operation        hc_wall     nanoseconds of a hypercall
  sched_icount, sched_wall, credit_icount, credit_wall: of a step of scheduling, Xen under credit2 or credit
  boot     icount or wall of the boot         size        bytes"""

from collections import namedtuple

# compare: "adds" divides what Wirt adds over bare Linux by what Xen adds; "ratio" divides Wirt by
# Xen; "limit" has a goal in the figure's own unit.
Row = namedtuple("Row", "group title unit kind name compare goal")

OPERATIONS = {
    "syscall": "null system call",
    "signal": "signal delivery",
    "fork_exit": "fork + exit + wait",
    "fork_exec": "fork + exec + wait",
    "page_fault": "anonymous page fault",
    "mprotect": "mprotect 64 pages twice + touch",
    "pipe": "pipe round trip, 2 processes",
    "file": "file create + write + unlink",
}
HYPERCALLS = {
    "null": ("null hypercall", 0.5),
    "event_send": ("event send, masked port", None),
    "update_va_mapping": ("update_va_mapping", None),
    "mmu_update_512": ("mmu_update, 512 entries", None),
    "grant_map_unmap": ("grant map + unmap, one", 0.5),
    "grant_map_unmap_32": ("grant map + unmap, 32 at once", 0.5),
    "grant_copy_32": ("grant copy, 32 pages", 0.5),
}
SCHEDULING = {
    "switch": ("switch, two domains yield", 0.6),
    "yield": ("yield, nobody else", None),
    "wake_p50": ("event to first instruction, median", 0.6),
    "wake_p99": ("the same, 99th percentile", 0.6),
    "wake_p50_hog": ("the same beside a busy guest, median", 0.6),
    "wake_p99_hog": ("the same, 99th percentile", 0.6),
    "timer_p50": ("a timer's upcall after its time, median", None),
    "timer_p99": ("the same, 99th percentile", None),
    "timer_max": ("the same, the latest of 600", None),
    "timer_p50_hog": ("the same beside a busy guest, median", None),
    "timer_p99_hog": ("the same, 99th percentile", None),
    "timer_max_hog": ("the same, the latest of 600", None),
    "pingpong": ("event ping-pong, one CPU", None),
    "wake_p50_2cpu": ("event to first instruction on another CPU, median", 0.6),
    "wake_p99_2cpu": ("the same, 99th percentile", 0.6),
    "pingpong_2cpu": ("event ping-pong, two CPUs, pinned", None),
    "pingpong_any": ("event ping-pong, two CPUs, not pinned", None),
}
# Parts of a whole: name: title, how it is compared, goal.
SHARES = {
    "lost_1": ("lost to the hypervisor: 1 busy guest, 2 CPUs", "limit", None),
    "lost_8_1cpu": ("lost to the hypervisor: 8 busy guests, 1 CPU", "limit", 30000),
    "lost_8": ("lost to the hypervisor: 8 busy guests, 2 CPUs", "limit", 30000),
    "share_error": ("error of shares 1:2:4:8 in 3 s", "ratio", 1.0),
    "share_error_100ms": ("the same in 100 ms, mean", "ratio", 1.0),
}


def scheduling(beside, kind):
    """Wirt beside one of Xen's schedulers."""
    return [
        *(Row("sched", f"{title} ({beside})", "instr", f"{kind}_icount", name, "ratio", goal)
          for name, (title, goal) in SCHEDULING.items()),
        *(Row("sched", f"{title} ({beside})", "ppm" if name[:4] == "lost" else "1/10000", f"{kind}_icount", name, compare, goal)
          for name, (title, compare, goal) in SHARES.items()),
        *(Row("sched", f"{title} ({beside})", "ns", f"{kind}_wall", name, "ratio", None)
          for name, (title, _) in SCHEDULING.items()),
    ]


ROWS = [
    Row("boot", "boot: first instruction to dom0's", "instr", "boot", "icount", "ratio", 0.4),
    Row("boot", "boot: first instruction to dom0's", "ms", "boot", "wall", "ratio", 0.4),
    *(Row("ops", title, "instr", "icount", name, "adds", 0.6) for name, title in OPERATIONS.items()),
    *(Row("ops", title, "ns", "wall", name, "ratio", 1.0) for name, title in OPERATIONS.items()),
    *(Row("hc", title, "instr", "hc_icount", name, "ratio", goal) for name, (title, goal) in HYPERCALLS.items()),
    *(Row("hc", title, "ns", "hc_wall", name, "ratio", None) for name, (title, _) in HYPERCALLS.items()),
    *scheduling("credit2", "sched"),
    *scheduling("credit", "credit"),
    Row("size", "hypervisor image, loaded from the file", "bytes", "size", "file", "limit", 400 * 1024),
    Row("size", "hypervisor image, in memory", "bytes", "size", "memory", "ratio", None),
    Row("size", "RAM kept for itself", "bytes", "size", "kept", "ratio", None),
]
HEADINGS = ["measured", "unit", "bare", "Xen", "Wirt", "Xen adds", "Wirt adds", "ratio", "goal", "met"]


def divide(part, whole):
    return part / whole if part is not None and whole else None


def subtract(value, base):
    return value - base if value is not None and base is not None else None


def number(value):
    return "" if value is None else f"{value:,.0f}"


def fraction(value):
    return "" if value is None else f"{value:.2f}"


def cells(row, figures):
    """One line of the table, as text."""
    bare, xen, wirt = (figures.get((system, row.kind, row.name)) for system in ("bare", "xen", "wirt"))
    adds = [subtract(value, bare) if row.compare == "adds" else None for value in (xen, wirt)]
    ratio = divide(adds[1], adds[0]) if row.compare == "adds" else divide(wirt, xen)
    judged = wirt if row.compare == "limit" else ratio
    goal = "" if row.goal is None else (number if row.compare == "limit" else fraction)(row.goal)
    met = "" if judged is None or row.goal is None else "yes" if judged <= row.goal else "no"
    return [row.title, row.unit, number(bare), number(xen), number(wirt), number(adds[0]), number(adds[1]),
            fraction(ratio), goal, met]


def markdown(figures):
    """Rows that have a figure, as a Markdown table whose columns also line up as plain text."""
    kinds = {(kind, name) for _, kind, name in figures}
    lines = [HEADINGS] + [cells(row, figures) for row in ROWS if (row.kind, row.name) in kinds]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    rule = ["-" * width if i < 2 else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    aligned = [[cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths))] for line in lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in [aligned[0], rule, *aligned[1:]])
