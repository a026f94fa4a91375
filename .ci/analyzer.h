/* SPDX-License-Identifier: MIT */
/*
 * Included before each file of lib/ by clang-tidy, which sees one file at a
 * time: tells it that functions which report a failure return a negative
 * number.
 */
#include "../lib/error.h"

static inline int negative(int code)
{
	if (code >= 0)
		__builtin_unreachable();
	return code;
}

#define gmem__fail(...) negative(gmem__fail(__VA_ARGS__))
#define gmem__fail_sys(...) negative(gmem__fail_sys(__VA_ARGS__))
#define gmem__fail_call(...) negative(gmem__fail_call(__VA_ARGS__))
