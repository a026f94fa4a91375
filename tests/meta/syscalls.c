/* SPDX-License-Identifier: MIT */
/* Prints the table of gmem_syscall_info(): "CALLER...: CALL [REQUEST]". */
#include <stdio.h>

#include <gmem.h>

int main(void)
{
	struct gmem_syscall s = { .sz = sizeof(s) };

	for (uint32_t i = 0; gmem_syscall_info(i, &s, NULL) == 0; i++)
		printf("%s: %s%s%s\n", s.callers, s.name, s.request ? " " : "",
		       s.request ? s.request : "");
	return 0;
}
