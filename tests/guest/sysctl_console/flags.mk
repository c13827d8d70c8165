GUEST_CPPFLAGS_sysctl_console := -D__XEN_TOOLS__
