// SPDX-License-Identifier: MIT
// Memory for the hypervisor's own objects.
#ifndef WIRT_MM_HEAP_H
#define WIRT_MM_HEAP_H

#include "lib/compiler.h"

// Zeroed memory of `size` bytes, aligned to the next power of two (to at most a page), or NULL when
// memory is out. Takes LOCK_HEAP, LOCK_FRAMES.
NODISCARD void *heap_alloc(size_t size);
// Returns memory of heap_alloc; NULL is allowed.
void heap_free(void *p);
// The bytes that an object of heap_alloc takes; of NULL none.
size_t heap_size(const void *p);

#define heap_new(type) ((type *)heap_alloc(sizeof(type)))

#endif
