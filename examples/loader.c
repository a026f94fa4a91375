// SPDX-License-Identifier: MIT
/*
 * loader: load an image into guest memory, with progress.
 *
 *	loader FILE	or	zcat vmlinux.gz | loader -
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <gmem.h>

#define SIZE (1ULL << 30)
#define LOAD_ADDRESS 0x100000

static int failed(const char *what, const struct gmem_error *err)
{
	fputs("loader: ", stderr);
	gmem_print_error(stderr, what, err);
	return 1;
}

/* The length of a pipe is known only at its end, so no percentage. */
static int progress(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	(void)total;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\rloaded %llu KiB",
			(unsigned long long)done >> 10);
	return 0;
}

int main(int argc, char **argv)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_create_opts opts = {
		.sz = sizeof(opts),
		.flags = GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED,
	};
	struct gmem_load_opts load = {
		.sz = sizeof(load),
		.flags = GMEM_LOAD_UNTIL_EOF,
		.progress = progress,
	};
	struct gmem_vm *vm = NULL;
	struct gmem *memory;
	int fd = STDIN_FILENO, status = 1;

	if (argc != 2) {
		fprintf(stderr, "usage: loader FILE|-\n");
		return 2;
	}
	if (strcmp(argv[1], "-"))
		fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		perror(argv[1]);
		return 1;
	}
	if (gmem_vm_open(NULL, &vm, &err) < 0 ||
	    gmem_create(vm, SIZE, &opts, &memory, &err) < 0) {
		failed("create guest memory", &err);
		goto out;
	}
	if (gmem_load(memory, LOAD_ADDRESS, fd, SIZE - LOAD_ADDRESS, &load,
		      &err) < 0) {
		failed("load", &err);
		goto out;
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\n");
	printf("%llu bytes of %s are at 0x%x of guest memory\n",
	       (unsigned long long)err.done, argv[1], LOAD_ADDRESS);
	status = 0;
out:
	if (gmem_vm_destroy(vm, &err) < 0)
		status = failed("destroy the VM", &err);
	if (fd != STDIN_FILENO)
		(void)close(fd);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "loader: the output could not be written\n");
		status = 1;
	}
	return status;
}
