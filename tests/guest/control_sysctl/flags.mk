GUEST_CPPFLAGS_control_sysctl := -D__XEN_TOOLS__
