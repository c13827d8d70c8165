GUEST_CPPFLAGS_sysctl_info := -D__XEN_TOOLS__
