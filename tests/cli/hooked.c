// SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include "hooked.h"

long (*hooked_syscall)(const struct hooked *call);

long hooked_pass(const struct hooked *call)
{
	static long (*real)(long number, ...);
	const unsigned long *a = call->a;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	return real(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

long syscall(long number, ...)
{
	struct hooked call = { .number = number };
	va_list list;

	va_start(list, number);
	for (size_t i = 0; i < sizeof(call.a) / sizeof(*call.a); i++)
		call.a[i] = va_arg(list, unsigned long);
	va_end(list);
	return hooked_syscall ? hooked_syscall(&call) : hooked_pass(&call);
}
