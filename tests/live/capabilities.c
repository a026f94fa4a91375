// SPDX-License-Identifier: MIT
/* Prints the capabilities that this machine has: what scripts decide by. */
#include "live.h"

int main(void)
{
	const char *name;

	for (unsigned int i = 0; (name = live_capability(i)); i++)
		if (live_has(name))
			puts(name);
	return 0;
}
