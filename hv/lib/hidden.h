// SPDX-License-Identifier: MIT
// Included before everything: all symbols are ours alone, so none needs a global offset table.
#ifndef __ASSEMBLY__
#pragma GCC visibility push(hidden)
#endif
