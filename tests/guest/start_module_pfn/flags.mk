GUEST_CPPFLAGS_start_module_pfn := -DGUEST_MOD_START_PFN -DGUEST_MODULE_SIZE=$(shell stat -c %s tests/guest/start_module_pfn/main.c)
