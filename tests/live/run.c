// SPDX-License-Identifier: MIT
/* A vCPU on what the library bound. */
#include "live.h"

#define GET_DIRTY_LOG GMEM__IOW(0x42, 16)

/*
 * A file of twice the RAM whose second half holds the program.  The first half,
 * which no guest should see, holds one that prints something else.
 */
static void start(struct live *l, const char *text)
{
	live_need("init-shared");
	live_vm(l, GMEM_VM_DEFAULT);
	live_file(l, 2 * LIVE_RAM / l->page, LIVE_SHARED);
	guest_load(l, l->g, 0, "elsewhere");
	guest_load(l, l->g, LIVE_RAM, text);
}

static int bind(struct live *l, uint64_t flags)
{
	struct gmem_slot opts = { .sz = sizeof(opts), .flags = flags };

	return t_bind(l->g, 0, 0, LIVE_RAM, LIVE_RAM, &opts, &l->err);
}

static long long bound(struct live *l, uint64_t flags)
{
	struct gmem_slot opts = { .sz = sizeof(opts), .flags = flags };

	return t_bound(l->g, 0, 0, LIVE_RAM, LIVE_RAM, &opts, &l->err);
}

/* What the guest stored in the file, read by a mapping that is not the slot's.
 */
static uint32_t stored(struct live *l)
{
	struct gmem_mmap_opts o = { .sz = sizeof(o),
				    .flags = GMEM_MMAP_READONLY };
	uint32_t n;
	void *p;

	live_ok(l, gmem_mmap(l->g, LIVE_RAM, LIVE_RAM, &o, &p, &l->err));
	memcpy(&n, (unsigned char *)p + guest_result(), sizeof(n));
	live_ok(l, gmem_munmap(l->g, p, &l->err));
	return n;
}

static void a_guest_runs_in_fd_mode(void **state)
{
	struct live *l = *state;

	start(l, "four");
	t_code(bound(l, 0), GMEM_SLOT_FD);
	t_code(guest_run(l), 4);
	assert_int_equal(stored(l), 4);
	guest_load(l, l->g, LIVE_RAM, "longer");
	t_code(guest_run(l), 6);
	assert_int_equal(stored(l), 6);
}

static void a_guest_runs_in_hva_mode(void **state)
{
	struct live *l = *state;

	start(l, "four");
	t_code(bound(l, GMEM_SLOT_HVA), GMEM_SLOT_HVA);
	t_code(guest_run(l), 4);
	assert_int_equal(stored(l), 4);
}

static void a_guest_runs_on_after_unbind_and_bind(void **state)
{
	struct live *l = *state;

	start(l, "four");
	live_ok(l, bind(l, 0));
	t_code(guest_run(l), 4);
	live_ok(l, gmem_unbind(l->vm, 0, 0, 0, &l->err));
	live_ok(l, bind(l, GMEM_SLOT_HVA));
	t_code(guest_run(l), 4);
}

/*
 * The guest's memory is the file, but KVM's own accesses go to userspace_addr;
 * with software paging KVM makes all accesses itself.
 */
static void two_dimensional_paging_decides_what_a_guest_runs_from(void **state)
{
	struct live *l = *state;
	bool file = live_has("two-dimensional-paging");
	unsigned char *decoy, poison[4];
	uint32_t six = 6;

	start(l, "file");
	memset(poison, 0xee, sizeof(poison));
	t_code(bound(l, GMEM_SLOT_FD), GMEM_SLOT_FD);
	decoy = live_decoy(l, LIVE_RAM, 0xee);
	guest_copy(decoy, "poison");
	t_code(guest_run(l), file ? 4 : 6);
	assert_int_equal(stored(l), file ? 4 : 0);
	assert_memory_equal(decoy + guest_result(),
			    file ? (void *)poison : (void *)&six, 4);
}

static void a_guest_runs_over_two_slots_of_two_files(void **state)
{
	struct live *l = *state;
	uint64_t cut = guest_result();
	struct gmem *low;
	uint32_t n;

	start(l, "four");
	low = l->g;
	live_file(l, LIVE_RAM / l->page, LIVE_SHARED);
	live_ok(l, t_bind(low, 0, 0, LIVE_RAM, cut, NULL, &l->err));
	live_ok(l, t_bind(l->g, 1, cut, 0, l->page, NULL, &l->err));
	t_code(guest_run(l), 4);
	live_ok(l, gmem_read(l->g, 0, &n, sizeof(n), &l->err));
	assert_int_equal(n, 4);
	l->g = low;
	assert_int_equal(stored(l), 0);
}

/* What HVA mode can do and fd mode cannot. */
static void dirty_log_in_hva_mode_shows_what_the_guest_stored(void **state)
{
	struct live *l = *state;
	unsigned char bitmap[LIVE_RAM / 4096 / 8] = { 0 };
	struct {
		uint32_t slot, pad;
		void *bitmap;
	} log = { 0, 0, bitmap };
	uint64_t page = guest_result() / l->page;
	int vm;

	start(l, "four");
	vm = gmem_vm_fd(l->vm);
	t_code(bound(l, GMEM_SLOT_DIRTY_LOG), GMEM_SLOT_HVA);
	t_code(guest_run(l), 4);
	t_code(raw_ioctl(vm, GET_DIRTY_LOG, &log), 0);
	assert_true(bitmap[page / 8] & 1 << page % 8);
	assert_false(bitmap[page / 8 + 1]);
	live_ok(l, gmem_unbind(l->vm, 0, 0, 0, &l->err));
	live_ok(l, bind(l, 0));
	t_code(raw_ioctl(vm, GET_DIRTY_LOG, &log), -ENOENT);
}

static void an_alias_shows_the_same_memory(void **state)
{
	struct live *l = *state;
	struct gmem_slot alias = { .sz = sizeof(alias),
				   .flags = GMEM_SLOT_ALIAS };
	uint64_t far = 4 * LIVE_RAM;

	start(l, "four");
	/* the guest's result is an alias of a page bound elsewhere */
	live_ok(l, t_bind(l->g, 0, 0, LIVE_RAM, guest_result(), NULL, &l->err));
	live_ok(l, t_bind(l->g, 1, far, LIVE_RAM + guest_result(), l->page,
			  NULL, &l->err));
	t_code(t_bound(l->g, 2, guest_result(), LIVE_RAM + guest_result(),
		       l->page, &alias, &l->err),
	       GMEM_SLOT_HVA);
	t_code(guest_run(l), 4);
	assert_int_equal(stored(l), 4);
}

static void a_readonly_slot_is_bound_in_hva_mode(void **state)
{
	struct live *l = *state;
	struct gmem_slot s = { .sz = sizeof(s) };

	start(l, "four");
	t_code(bound(l, GMEM_SLOT_READONLY), GMEM_SLOT_HVA);
	live_ok(l, gmem_slot_get(l->vm, 0, 0, &s, &l->err));
	assert_int_equal(s.flags, GMEM_SLOT_HVA | GMEM_SLOT_READONLY |
					  GMEM_SLOT_OWN_ADDR);
}

static void pre_fault_allocates_in_the_file(void **state)
{
	struct live *l = *state;

	live_need("pre-fault");
	live_need("residency");
	live_need("init-shared");
	live_vm(l, GMEM_VM_DEFAULT);
	live_file(l, 8, LIVE_SHARED);
	live_ok(l, t_bind(l->g, 0, 0, 0, 8 * l->page, NULL, &l->err));
	t_code(guest_pre_fault(l, 3 * l->page), 0);
	assert_int_equal(raw_resident(gmem_fd(l->g), 0, 8 * l->page), 1);
	assert_int_equal(raw_resident(gmem_fd(l->g), 3 * l->page, l->page), 1);
	t_code(guest_pre_fault(l, 64 * l->page), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest run[] = {
		live_test(a_guest_runs_in_fd_mode),
		live_test(a_guest_runs_in_hva_mode),
		live_test(a_guest_runs_on_after_unbind_and_bind),
		live_test(
			two_dimensional_paging_decides_what_a_guest_runs_from),
		live_test(a_guest_runs_over_two_slots_of_two_files),
		live_test(dirty_log_in_hva_mode_shows_what_the_guest_stored),
		live_test(an_alias_shows_the_same_memory),
		live_test(a_readonly_slot_is_bound_in_hva_mode),
		live_test(pre_fault_allocates_in_the_file),
	};

	return t_main(run);
}
