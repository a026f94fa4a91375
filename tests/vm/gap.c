// SPDX-License-Identifier: MIT
/*
 * What a guest that runs sees while gmem_slots_replace() has deleted the old
 * slot and not yet made the new ones: the table of gmem_slots_replace(3).  The
 * trace of the library tells when that is, and the guest then makes each access
 * twice.
 */
#include <unistd.h>

#include "guest.h"

#define GPA (16UL << 20)
#define SIZE (16 * l->page)
#define DATA (GPA)
#define CODE (GPA + l->page)
#define TABLE (GPA + 2 * l->page)
#define APART (GPA + 3 * l->page) /* that the guest leaves alone */
#define VALUE 0x1234567

enum access {
	READ,
	WRITE,
	FETCH,
	TABLES,
	STRING_IN,
	CLOCK,
	ACCESSES
};
enum {
	TIMES = 2
};

static const char *const names[ACCESSES] = {
	"reads",	   "writes",	   "runs code",
	"has page tables", "string input", "clock",
};

struct seen {
	int r; /* of KVM_RUN, the last that this took */
	uint32_t exit;
	uint64_t gpa; /* of an MMIO or memory-fault exit */
	uint64_t flags;
};

struct gap {
	struct guest guest;
	unsigned int gaps;
	int dirty_log; /* what KVM_GET_DIRTY_LOG says */
	struct seen seen[ACCESSES][TIMES];
};

/* Of every access, from where the guest is to find the memory. */
struct row {
	int r;
	uint32_t exit;
};

static const struct row of_shared[ACCESSES] = {
	[READ] = { 0, KVM_EXIT_MMIO },
	[WRITE] = { 0, KVM_EXIT_MMIO },
	[FETCH] = { 0, KVM_EXIT_INTERNAL_ERROR },
	[TABLES] = { 0, KVM_EXIT_SHUTDOWN },
	[STRING_IN] = { 0, KVM_EXIT_MMIO },
	[CLOCK] = { 0, KVM_EXIT_HLT },
};
static const struct row of_private[ACCESSES] = {
	[READ] = { -EFAULT, FLAT_EXIT_MEMORY_FAULT },
	[WRITE] = { -EFAULT, FLAT_EXIT_MEMORY_FAULT },
	[FETCH] = { -EFAULT, FLAT_EXIT_MEMORY_FAULT },
	[TABLES] = { -EFAULT, FLAT_EXIT_MEMORY_FAULT },
	[STRING_IN] = { 0, KVM_EXIT_MMIO },
	[CLOCK] = { 0, KVM_EXIT_HLT },
};

static struct gap *now; /* the test that runs */

static void access_code(struct code *c, struct live *l, enum access a)
{
	switch (a) {
	case READ:
		code_load(c, DATA);
		break;
	case WRITE:
		code_store(c, DATA, 0xdead);
		break;
	case FETCH:
		code_call(c, CODE);
		break;
	case STRING_IN:
		code_in_string(c, GUEST_PORT, DATA, 1);
		break;
	case CLOCK:
		code_wrmsr(c, MSR_SYSTEM_TIME, DATA | MSR_ENABLE);
		code_out(c, GUEST_PORT, 1);
		code_wrmsr(c, MSR_SYSTEM_TIME, 0);
		break;
	default:
		break;
	}
	code_halt(c);
}

/* Runs to the first exit that is no port access. */
static void attempt(struct live *l, enum access a, struct seen *s)
{
	struct guest *g = &now->guest;
	const struct kvm_run *run = g->vcpu.run;

	access_code(guest_code(g), l, a);
	flat_reset(&g->vcpu, GUEST_RAM, GUEST_RAM + GUEST_RAM_SIZE);
	if (a == TABLES)
		flat_paging(&g->vcpu, TABLE);
	(void)alarm(60); /* guest.c has a handler: a guest that loops ends */
	do {
		s->r = flat_run(&g->vcpu);
	} while (s->r == 0 && run->exit_reason == KVM_EXIT_IO);
	(void)alarm(0);
	s->exit = run->exit_reason;
	if (s->exit == KVM_EXIT_MMIO)
		s->gpa = run->mmio.phys_addr;
	if (s->exit == FLAT_EXIT_MEMORY_FAULT) {
		s->gpa = flat_fault_gpa(&g->vcpu);
		s->flags = flat_fault_flags(&g->vcpu);
	}
}

static void in_the_gap(struct live *l)
{
	struct kvm_dirty_log log = { .slot = 0, .dirty_bitmap = NULL };

	now->gaps++;
	for (unsigned int a = 0; a < ACCESSES; a++)
		for (unsigned int i = 0; i < TIMES; i++)
			attempt(l, a, &now->seen[a][i]);
	now->dirty_log = raw_ioctl(gmem_vm_fd(l->vm), KVM_GET_DIRTY_LOG, &log);
}

static void on_call(struct live *l, const struct gmem_trace *e)
{
	if (now && !now->gaps && e->result == 0 && e->arg[3] == 0 &&
	    !strncmp(e->call, "KVM_SET_USER_MEMORY_REGION",
		     sizeof("KVM_SET_USER_MEMORY_REGION") - 1))
		in_the_gap(l);
}

static void put(struct guest *g)
{
	struct live *l = g->l;

	t_code(guest_write(g, DATA, VALUE), 0);
	t_code(guest_write(g, CODE, 0xc3), 0); /* ret */
	t_code(guest_write(g, APART, VALUE), 0);
	t_code(guest_write(g, TABLE, FLAT_PDE(GUEST_RAM)), 0);
}

static void check(const struct seen *s, const struct row *want, uint64_t gpa)
{
	assert_int_equal(s->r, want->r);
	assert_int_equal(s->exit, want->exit);
	if (s->exit == KVM_EXIT_MMIO || s->exit == FLAT_EXIT_MEMORY_FAULT)
		assert_int_equal(s->gpa, gpa);
	if (s->exit == FLAT_EXIT_MEMORY_FAULT)
		assert_int_equal(s->flags, GMEM__ATTRIBUTE_PRIVATE);
}

static void check_all(const struct gap *s, const struct row *want)
{
	const struct live *l = s->guest.l;
	const uint64_t at[ACCESSES] = {
		[READ] = DATA,	  [WRITE] = DATA,     [FETCH] = CODE,
		[TABLES] = TABLE, [STRING_IN] = DATA, [CLOCK] = DATA,
	};

	assert_int_equal(s->gaps, 1);
	for (unsigned int a = 0; a < ACCESSES; a++)
		for (unsigned int i = 0; i < TIMES; i++) {
			print_message("# %s: %d, exit %u\n", names[a],
				      s->seen[a][i].r, s->seen[a][i].exit);
			check(&s->seen[a][i], &want[a], at[a]);
		}
	assert_int_equal(s->dirty_log, -ENOENT);
}

/* Splits the slot, and @want is what the guest saw meanwhile. */
static void replace(struct gap *s, uint64_t flags, const struct row *want)
{
	struct live *l = s->guest.l;
	struct gmem_slot from = {
		.sz = sizeof(from),
		.gpa = GPA,
		.len = SIZE,
		.gmem = l->g,
		.flags = flags,
	};
	struct gmem_slot to[2] = { from, from };

	live_ok(l, gmem_bind(&from, &l->err));
	put(&s->guest);
	to[0].len = to[1].len = SIZE / 2;
	to[1].slot = 1;
	to[1].gpa += SIZE / 2;
	to[1].offset += SIZE / 2;
	now = s;
	l->on_call = on_call;
	live_ok(l, gmem_slots_replace(l->vm, &from, 1, to, 2, 0, &l->err));
	now = NULL;
	check_all(s, want);
}

/* What was written meanwhile went nowhere. */
static void is_as_before(struct guest *g, uint64_t gpa)
{
	uint32_t value;

	t_code(guest_read(g, gpa, &value), 0);
	assert_int_equal(value, VALUE);
}

static void need_shared(void)
{
	live_need("two-dimensional-paging");
	live_need("init-shared");
}

static void shared_memory_is_missing(void **state)
{
	struct live *l = *state;
	struct gap s = { .gaps = 0 };

	need_shared();
	guest_start_type(&s.guest, l, GMEM_VM_DEFAULT);
	live_file(l, 16, LIVE_SHARED);
	replace(&s, 0, of_shared);
	is_as_before(&s.guest, DATA);
}

static void shared_memory_in_hva_mode_is_missing(void **state)
{
	struct live *l = *state;
	struct gap s = { .gaps = 0 };

	need_shared();
	guest_start_type(&s.guest, l, GMEM_VM_DEFAULT);
	live_file(l, 16, LIVE_SHARED);
	replace(&s, GMEM_SLOT_HVA | GMEM_SLOT_DIRTY_LOG, of_shared);
	is_as_before(&s.guest, DATA);
}

static void private_memory_is_missing(void **state)
{
	struct live *l = *state;
	struct gap s = { .gaps = 0 };

	guest_start(&s.guest, l);
	if (live_has("in-place"))
		t_not_applicable("by-gpa", "VMs here convert in place");
	live_file(l, 16, 0);
	replace(&s, 0, of_private);
	is_as_before(&s.guest, DATA);
}

/*
 * There KVM takes it for shared, as long as there is no slot, and then does not
 * forget that of a page that the guest has touched: it always faults.
 */
static void private_memory_in_place_is_missing(void **state)
{
	struct live *l = *state;
	struct gap s = { .gaps = 0 };
	uint32_t value;

	guest_start(&s.guest, l);
	live_need("in-place");
	live_file(l, 16, 0);
	replace(&s, 0, of_shared);
	is_as_before(&s.guest, APART);
	for (int i = 0; i < TIMES; i++) {
		t_code(guest_read(&s.guest, DATA, &value), -EFAULT);
		assert_int_equal(s.guest.vcpu.run->exit_reason,
				 FLAT_EXIT_MEMORY_FAULT);
		assert_int_equal(flat_fault_flags(&s.guest.vcpu), 0);
		assert_int_equal(flat_fault_gpa(&s.guest.vcpu), DATA);
		guest_convert(&s.guest, 0, GPA, l->page, false);
		guest_convert(&s.guest, 0, GPA, l->page, true);
	}
}

int main(void)
{
	const struct CMUnitTest gap[] = {
		live_test(shared_memory_is_missing),
		live_test(shared_memory_in_hva_mode_is_missing),
		live_test(private_memory_is_missing),
		live_test(private_memory_in_place_is_missing),
	};

	return t_main(gap);
}
