// SPDX-License-Identifier: MIT
/* Runs the files named on the command line where there is no libFuzzer. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

#define LIMIT 65536

int main(int argc, char **argv)
{
	uint8_t *data = malloc(LIMIT);
	size_t n;
	FILE *f;

	for (int i = 1; i < argc; i++) {
		f = fopen(argv[i], "rb");
		if (!f) {
			perror(argv[i]);
			free(data);
			return 1;
		}
		n = fread(data, 1, LIMIT, f);
		(void)fclose(f);
		(void)LLVMFuzzerTestOneInput(data, n);
	}
	printf("%d inputs\n", argc - 1);
	free(data);
	return argc < 2;
}
