// SPDX-License-Identifier: MIT
// Keeps the functions of lib/string.h apart from the host's in their unit test.
#ifndef WIRT_TESTS_UNIT_LIB_STRING_NAMES_H
#define WIRT_TESTS_UNIT_LIB_STRING_NAMES_H

#define memcpy  wirt_memcpy
#define memmove wirt_memmove
#define memset  wirt_memset
#define memcmp  wirt_memcmp
#define memchr  wirt_memchr
#define strlen  wirt_strlen
#define strnlen wirt_strnlen
#define strcmp  wirt_strcmp
#define strncmp wirt_strncmp
#define strchr  wirt_strchr
#define strstr  wirt_strstr
#define strlcpy wirt_strlcpy

#endif
