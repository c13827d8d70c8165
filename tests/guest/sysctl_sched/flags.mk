GUEST_CPPFLAGS_sysctl_sched := -D__XEN_TOOLS__
