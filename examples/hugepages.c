// SPDX-License-Identifier: MIT
/*
 * hugepages: guest memory of huge pages: how many they take from the host's
 * pool, what has to be aligned, and how they are converted and freed.
 *
 *	hugepages [--model[=PROFILE]] [--hugetlb-encoding=NAME] [--vm-type=TYPE]
 *
 * No released kernel has them.  libgmem-model has the two ways that were
 * proposed, hugetlb-page-order and hugetlb-rfc1, and names the encoding of its
 * profile.  For a real kernel that was built with one of them, name page-order
 * or rfc1, and a type of VM with private memory.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <gmem_model.h>

#define MIB (1ULL << 20)
#define HUGE (2 * MIB)
#define GIGANTIC (1024 * MIB)
#define PAGES 8
#define BUSY 2 /* the page that something uses */

static int failed(const char *what, const struct gmem_error *err)
{
	fputs("hugepages: ", stderr);
	gmem_print_error(stderr, what, err);
	return -1;
}

/* Prints a refusal that is expected. */
static int refused(const char *what, int r, uint32_t reason,
		   const struct gmem_error *err)
{
	char text[512];

	if (r >= 0 || err->reason != reason) {
		fprintf(stderr, "hugepages: %s: expected %s, got %s\n", what,
			gmem_reason_str(reason), gmem_reason_str(err->reason));
		return -1;
	}
	gmem_strerror(err, text, sizeof(text));
	printf("%s is refused: %s\n", what, text);
	return 0;
}

/* A real kernel's pools are in /sys/kernel/mm/hugepages. */
static int print_pool(struct gmem_vm *vm, bool model, uint64_t size,
		      const char *when)
{
	struct gmem_error err = { .sz = sizeof(err) };
	uint64_t pages;

	if (!model)
		return 0;
	if (gmem_model_get_pool(vm, size, &pages, &err) < 0)
		return failed("look at the pool", &err);
	printf("%s: %llu pages of %llu MiB are free\n", when,
	       (unsigned long long)pages, (unsigned long long)(size / MIB));
	return 0;
}

/* More than the pool has, and not a whole number of huge pages. */
static int try_refusals(struct gmem_vm *vm, struct gmem_create_opts *opts)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem *g;
	int r;

	r = gmem_create(vm, 3 * MIB, opts, &g, &err);
	if (refused("a file of 3 MiB", r, GMEM_REASON_UNALIGNED, &err) < 0)
		return -1;
	r = gmem_create(vm, 1ULL << 40, opts, &g, &err);
	return refused("a file of 1 TiB", r, GMEM_REASON_NO_MEMORY, &err);
}

/*
 * Here no guest is running: share even with an encoding without MMAP, where
 * the memory has no shared side.
 */
static int share(struct gmem *ram, uint64_t offset, uint64_t len,
		 struct gmem_error *err)
{
	struct gmem_attributes_opts opts = {
		.sz = sizeof(opts),
		.flags = GMEM_ATTRIBUTES_UNBACKED,
	};

	return gmem_set_attributes(ram, offset, len, GMEM_ATTRIBUTE_SHARED,
				   &opts, err);
}

/* Only whole huge pages can be converted. */
static int convert(struct gmem *ram)
{
	struct gmem_error err = { .sz = sizeof(err) };
	uint64_t len = PAGES * HUGE;
	int r;

	r = share(ram, 4096, 4096, &err);
	if (refused("to share 4 KiB of a huge page", r, GMEM_REASON_UNALIGNED,
		    &err) < 0)
		return -1;
	if (share(ram, 0, len, &err) < 0)
		return failed("make all shared", &err);
	printf("%d huge pages are shared\n", PAGES);
	if (gmem_set_private(ram, 0, len, &err) < 0)
		return failed("make all private", &err);
	printf("and private again\n");
	return 0;
}

/* In place it is done page by page: those before one in use stay converted. */
static int convert_busy(struct gmem_vm *vm, struct gmem *ram)
{
	struct gmem_error err = { .sz = sizeof(err) };
	uint64_t done, len = PAGES * HUGE, base = sysconf(_SC_PAGESIZE);
	int r;

	if (share(ram, 0, len, &err) < 0)
		return failed("make all shared", &err);
	if (gmem_model_pin(vm, gmem_fd(ram), BUSY * HUGE, base, &err) < 0)
		return failed("use a page", &err);
	r = gmem_set_private(ram, 0, len, &err);
	done = err.done;
	if (refused("to make all private with a page in use", r,
		    GMEM_REASON_PAGE_IN_USE, &err) < 0)
		return -1;
	printf("%llu of %d huge pages are private\n",
	       (unsigned long long)(done / HUGE), PAGES);
	if (gmem_model_unpin(vm, gmem_fd(ram), BUSY * HUGE, base, &err) < 0)
		return failed("let go of the page", &err);
	if (gmem_set_private(ram, done, len - done, &err) < 0)
		return failed("make the rest private", &err);
	printf("the rest too, once the page was let go of\n");
	return 0;
}

/* Memory is allocated and freed by whole huge pages. */
static int give_back(struct gmem *ram)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_residency is = { .sz = sizeof(is) };
	uint64_t len = PAGES * HUGE;
	int r;

	if (gmem_populate(ram, 0, len, NULL, &err) < 0)
		return failed("populate it", &err);
	r = gmem_discard(ram, HUGE, 4096, NULL, &err);
	if (refused("to discard 4 KiB of a huge page", r, GMEM_REASON_UNALIGNED,
		    &err) < 0)
		return -1;
	if (gmem_discard(ram, HUGE, HUGE, NULL, &err) < 0)
		return failed("discard a huge page", &err);
	if (gmem_resident(ram, 0, len, &is, &err) < 0)
		return failed("count what is left", &err);
	printf("one huge page discarded: %s%llu of %llu MiB are resident\n",
	       is.flags & GMEM_RESIDENT_LOWER_BOUND ? "at least " : "",
	       (unsigned long long)(is.bytes / MIB),
	       (unsigned long long)(len / MIB));
	return 0;
}

static int show(struct gmem_vm *vm, uint32_t encoding, bool model)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_create_opts opts = { .sz = sizeof(opts),
					 .hugetlb_size = HUGE };
	struct gmem_slot slot = { .sz = sizeof(slot), .len = PAGES * HUGE };
	struct gmem *ram, *large;
	bool in_place = gmem_vm_has(vm, GMEM_FEATURE_FILE_ATTRIBUTES);

	/* In the posting of 2024 the host could not map them. */
	if (encoding != GMEM_HUGETLB_RFC1)
		opts.flags = GMEM_CREATE_MMAP;
	if (print_pool(vm, model, HUGE, "before") < 0)
		return -1;
	if (gmem_create(vm, PAGES * HUGE, &opts, &ram, &err) < 0)
		return failed("make a file of huge pages", &err);
	if (print_pool(vm, model, HUGE, "a file of 16 MiB made") < 0 ||
	    try_refusals(vm, &opts) < 0)
		return -1;
	slot.gmem = ram;
	/* Without conversion in place, attributes need a slot. */
	if (!in_place && gmem_bind(&slot, &err) < 0)
		return failed("bind it", &err);
	if (convert(ram) < 0 ||
	    (in_place && model && convert_busy(vm, ram) < 0) ||
	    give_back(ram) < 0)
		return -1;
	if (!in_place && gmem_unbind(vm, slot.slot, 0, 0, &err) < 0)
		return failed("unbind it", &err);
	if (gmem_close(ram, &err) < 0)
		return failed("close it", &err);
	if (print_pool(vm, model, HUGE, "the file closed") < 0)
		return -1;

	opts.hugetlb_size = GIGANTIC;
	if (gmem_create(vm, GIGANTIC, &opts, &large, &err) < 0)
		return failed("make a file of a 1 GiB page", &err);
	return print_pool(vm, model, GIGANTIC, "a file of 1 GiB made");
}

/* What the profile's kernel understands, to be named when a VM is opened. */
static uint32_t encoding_of(const char *profile)
{
	struct gmem_model_profile p = { .sz = sizeof(p) };

	for (uint32_t i = 0; gmem_model_profile_info(i, &p, NULL) == 0; i++)
		if (!strcmp(p.name, profile))
			return p.hugetlb_encoding;
	return GMEM_HUGETLB_MERGED;
}

struct args {
	const char *profile; /* NULL: the real kernel */
	struct gmem_vm_opts vm;
};

static const char usage[] = "usage: hugepages [--model[=PROFILE]] "
			    "[--hugetlb-encoding=NAME] [--vm-type=TYPE]\n";

/* The number of a name behind "--OPTION=", as gmem_value(3) knows it. */
static int number(const char *arg, const char *option, uint32_t kind,
		  uint32_t *out)
{
	struct gmem_error err = { .sz = sizeof(err) };
	size_t n = strlen(option);
	uint64_t value;

	if (strncmp(arg, option, n) != 0)
		return 0;
	if (gmem_value(kind, arg + n, &value, &err) < 0)
		return failed(arg, &err);
	*out = (uint32_t)value;
	return 1;
}

static int parse(int argc, char **argv, struct args *a)
{
	uint32_t type = GMEM_VM_UNSET, encoding = UINT32_MAX;
	int r;

	for (int i = 1; i < argc; i++) {
		r = number(argv[i],
			   "--hugetlb-encoding=", GMEM_NAME_HUGETLB_ENCODING,
			   &encoding);
		if (r == 0)
			r = number(argv[i], "--vm-type=", GMEM_NAME_VM_TYPE,
				   &type);
		if (r < 0)
			return -1;
		if (r > 0)
			continue;
		if (!strcmp(argv[i], "--model")) {
			a->profile = "hugetlb-page-order";
		} else if (!strncmp(argv[i], "--model=", 8)) {
			a->profile = argv[i] + 8;
		} else {
			fputs(usage, stderr);
			return -1;
		}
	}
	if (a->profile && type == GMEM_VM_UNSET)
		type = GMEM_VM_SW_PROTECTED;
	if (encoding == UINT32_MAX)
		encoding = a->profile ? encoding_of(a->profile)
				      : (uint32_t)GMEM_HUGETLB_MERGED;
	a->vm.type = type;
	a->vm.hugetlb_encoding = encoding;
	return 0;
}

int main(int argc, char **argv)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct args a = { .vm = { .sz = sizeof(a.vm) } };
	struct gmem_model_opts model = { .sz = sizeof(model), .vm = &a.vm };
	struct gmem_vm *vm = NULL;
	int status = 1;

	if (parse(argc, argv, &a) < 0)
		return 2;
	if ((a.profile ? gmem_model_vm_open(a.profile, &model, &vm, &err)
		       : gmem_vm_open(&a.vm, &vm, &err)) < 0)
		failed("make a VM", &err);
	else if (show(vm, a.vm.hugetlb_encoding, a.profile) == 0)
		status = 0;
	if (status && !a.profile)
		fprintf(stderr, "hugepages: --model shows what is to come\n");
	if (gmem_vm_destroy(vm, &err) < 0) {
		failed("destroy the VM", &err);
		status = 1;
	}
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "hugepages: the output could not be written\n");
		status = 1;
	}
	return status;
}
