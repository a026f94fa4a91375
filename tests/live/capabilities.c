// SPDX-License-Identifier: MIT
/* Prints the capabilities of this machine, for scripts to decide skips. */
#include "live.h"

int main(void)
{
	const char *name;

	for (unsigned int i = 0; (name = live_capability(i)); i++)
		if (live_has(name))
			puts(name);
	return 0;
}
