GUEST_CPPFLAGS_start_module := -DGUEST_MODULE_SIZE=$(shell stat -c %s tests/guest/start_module/main.c)
