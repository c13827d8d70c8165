GUEST_CPPFLAGS_control_ops := -D__XEN_TOOLS__
