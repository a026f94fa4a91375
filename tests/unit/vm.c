// SPDX-License-Identifier: MIT
/* Opening, adopting, closing and destroying a VM. */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#include "seam.h"
#include "vm.h"

#define GET_API_VERSION 0xae00
#define CREATE_VM 0xae01

static int open_vm(struct unit *u, const struct gmem_vm_opts *o,
		   struct gmem_error *err)
{
	return gmem__vm_open_on(&unit_sys, u, o, &u->vm, err);
}

/* Opening fails so and leaves nothing behind. */
static void open_fails(struct unit *u, const struct gmem_vm_opts *o, int code,
		       uint32_t why)
{
	struct gmem_error err;

	t_refused(open_vm(u, o, &err), code, why, err);
	assert_null(u->vm);
	assert_true(unit_balanced(u));
}

static void open_makes_a_vm_of_the_default_type(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	const struct unit_call *c;

	t_ok(open_vm(u, NULL, &err), err);
	assert_int_equal(unit_count(u, "ioctl", CREATE_VM), 1);
	c = unit_nth(u, "ioctl", CREATE_VM, 0);
	assert_int_equal(c->in.value, 0);
	assert_int_equal(gmem_vm_fd(u->vm), c->result);
	assert_int_equal(unit_count(u, "openat", 0), 1);
}

static void open_passes_the_number_of_each_type(void **state)
{
	struct unit *u = *state;
	struct gmem_vm_opts o = { .sz = sizeof(o) };
	struct gmem_error err;

	u->k->types = 0x3f;
	for (uint32_t type = 1; type <= 6; type++) {
		o.type = type;
		unit_reset(u);
		t_ok(open_vm(u, &o, &err), err);
		assert_int_equal(unit_nth(u, "ioctl", CREATE_VM, 0)->in.value,
				 type - 1);
		t_ok(gmem_vm_close(u->vm, &err), err);
		u->vm = NULL;
	}
}

static void open_refuses_what_it_does_not_know(void **state)
{
	struct unit *u = *state;
	struct gmem_vm_opts o = { .sz = sizeof(o), .type = 7 };
	struct gmem_error err;

	open_fails(u, &o, -EINVAL, GMEM_REASON_VALUE_UNKNOWN);
	o = (struct gmem_vm_opts){ .sz = sizeof(o), .hugetlb_encoding = 3 };
	open_fails(u, &o, -EINVAL, GMEM_REASON_VALUE_UNKNOWN);
	o = (struct gmem_vm_opts){ .sz = sizeof(o), .flags = 1 };
	open_fails(u, &o, -EINVAL, GMEM_REASON_FLAG_UNKNOWN);
	t_refused(gmem__vm_open_on(&unit_sys, u, NULL, NULL, &err), -EINVAL,
		  GMEM_REASON_NULL_ARGUMENT, err);
	assert_int_equal(u->n_calls, 0);
}

static void open_refuses_a_type_that_the_host_lacks(void **state)
{
	struct unit *u = *state;
	struct gmem_vm_opts o = { .sz = sizeof(o), .type = GMEM_VM_SNP };

	open_fails(u, &o, -EOPNOTSUPP, GMEM_REASON_VM_TYPE_UNSUPPORTED);
	assert_int_equal(unit_count(u, "ioctl", CREATE_VM), 0);
	/* and where the mask is unknown, the kernel's EINVAL says it */
	unit_cap(u, OBJECT_DEVICE, 235, -EPERM);
	open_fails(u, &o, -EOPNOTSUPP, GMEM_REASON_VM_TYPE_UNSUPPORTED);
}

static void a_refused_type_is_told_what_there_is(void **state)
{
	struct unit *u = *state;
	struct gmem_vm_opts o = { .sz = sizeof(o), .type = GMEM_VM_SNP };
	struct gmem_error err;

	u->k->types = 0x2b;
	t_refused(open_vm(u, &o, &err), -EOPNOTSUPP,
		  GMEM_REASON_VM_TYPE_UNSUPPORTED, err);
	assert_non_null(strstr(err.msg, " snp"));
	assert_non_null(strstr(err.msg, "default, sw-protected, sev-es, tdx"));
	assert_int_equal(err.value, GMEM_VM_SNP);
	assert_int_equal(err.limit, 0x2b);
}

static void before_6_8_there_is_the_default_type_alone(void **state)
{
	struct unit *u = *state;
	struct gmem_vm_opts o = { .sz = sizeof(o),
				  .type = GMEM_VM_SW_PROTECTED };
	struct gmem_error err;

	unit_cap(u, OBJECT_DEVICE, 235, 0);
	t_refused(open_vm(u, &o, &err), -EOPNOTSUPP,
		  GMEM_REASON_VM_TYPE_UNSUPPORTED, err);
	assert_int_equal(err.limit, 1);
	t_ok(open_vm(u, NULL, &err), err);
}

static void open_tells_what_is_wrong_with_the_device(void **state)
{
	struct unit *u = *state;
	struct gmem_vm_opts o = { .sz = sizeof(o), .device = "/dev/none" };

	open_fails(u, &o, -ENOENT, GMEM_REASON_NO_DEVICE);
	o.device = "/dev/null";
	open_fails(u, &o, -EINVAL, GMEM_REASON_NOT_KVM);
	unit_answer(u, "ioctl", GET_API_VERSION, 1, 1, -EPERM);
	open_fails(u, NULL, -EPERM, GMEM_REASON_ACCESS_DENIED);
	unit_answer(u, "ioctl", GET_API_VERSION, 1, 1, -ENOMEM);
	open_fails(u, NULL, -ENOMEM, GMEM_REASON_NO_MEMORY);
	unit_answer(u, "openat", 0, 1, 1, -EACCES);
	open_fails(u, NULL, -EACCES, GMEM_REASON_DEVICE_ACCESS);
	unit_answer(u, "openat", 0, 1, 1, -EMFILE);
	open_fails(u, NULL, -EMFILE, GMEM_REASON_FD_LIMIT);
	unit_answer(u, "ioctl", GET_API_VERSION, 1, 1, 11);
	open_fails(u, NULL, -EINVAL, GMEM_REASON_NOT_KVM);
}

static void an_interrupted_creation_is_tried_again(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;

	unit_answer(u, "ioctl", CREATE_VM, 1, 3, -EINTR);
	t_ok(open_vm(u, NULL, &err), err);
	assert_int_equal(unit_count(u, "ioctl", CREATE_VM), 4);
}

static void a_refused_creation_has_its_reason(void **state)
{
	static const struct {
		int code;
		uint32_t why;
	} rows[] = {
		{ -ENOMEM, GMEM_REASON_NO_MEMORY },
		{ -EMFILE, GMEM_REASON_FD_LIMIT },
		{ -ENFILE, GMEM_REASON_FD_LIMIT },
		{ -EACCES, GMEM_REASON_ACCESS_DENIED },
		{ -ENODEV, GMEM_REASON_KERNEL },
	};
	struct unit *u = *state;

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		unit_reset(u);
		unit_answer(u, "ioctl", CREATE_VM, 1, 1, rows[i].code);
		open_fails(u, NULL, rows[i].code, rows[i].why);
	}
}

static void without_memory_open_gives_enomem(void **state)
{
	struct unit *u = *state;

	u->fail_alloc = 1;
	open_fails(u, NULL, -ENOMEM, GMEM_REASON_NO_MEMORY);
	assert_int_equal(u->n_calls, 0);
}

static void ipa_bits_are_for_arm64(void **state)
{
	struct unit *u = *state;
	struct gmem_vm_opts o = { .sz = sizeof(o), .ipa_bits = 40 };

	open_fails(u, &o, -EINVAL, GMEM_REASON_IPA_BITS);
	assert_int_equal(unit_count(u, "ioctl", CREATE_VM), 0);
}

static void arm64_is_made_with_its_ipa_bits(void **state)
{
	struct unit *u = *state;
	struct gmem_vm_opts o = { .sz = sizeof(o), .ipa_bits = 48 };
	struct gmem_error err;

	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL;
	o.ipa_bits = 256;
	open_fails(u, &o, -EINVAL, GMEM_REASON_IPA_BITS);
	assert_int_equal(unit_count(u, "ioctl", CREATE_VM), 0);
	o.ipa_bits = 20;
	open_fails(u, &o, -EINVAL, GMEM_REASON_IPA_BITS);
	o = (struct gmem_vm_opts){ .sz = sizeof(o), .type = GMEM_VM_SNP };
	open_fails(u, &o, -EOPNOTSUPP, GMEM_REASON_VM_TYPE_UNSUPPORTED);
	unit_reset(u);
	o = (struct gmem_vm_opts){ .sz = sizeof(o), .ipa_bits = 48 };
	t_ok(open_vm(u, &o, &err), err);
	assert_int_equal(unit_nth(u, "ioctl", CREATE_VM, 0)->in.value, 48);
}

static int adopt(struct unit *u, int fd, struct gmem_error *err)
{
	return gmem__vm_adopt_on(&unit_sys, u, fd, NULL, &u->vm, err);
}

static void an_adopted_vm_stays_the_callers(void **state)
{
	struct unit *u = *state;
	int fd = unit_vm_fd(u, 0);
	struct gmem_error err;

	t_ok(adopt(u, fd, &err), err);
	assert_int_equal(gmem_vm_fd(u->vm), fd);
	assert_int_equal(unit_count(u, "ioctl", CREATE_VM), 0);
	t_code(t_support(u->vm, GMEM_FEATURE_MMAP), GMEM_YES);
	t_ok(gmem_vm_close(u->vm, &err), err);
	u->vm = NULL;
	assert_true(unit_is_open(fd));
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void adopt_refuses_what_is_no_vm(void **state)
{
	struct unit *u = *state;
	int vm = unit_vm_fd(u, 0);
	int fds[] = { unit_device_fd(u), unit_file_fd(u, vm, u->page, 0),
		      unit_file_fd(u, vm, u->page, 3), eventfd(0, 0),
		      unit_input(u, "", 1, 0) };
	unsigned int maps = unit_mappings(u);
	struct gmem_error err;

	u->vcpu = fds[3];
	assert_int_equal(unit_sys.close(u, vm), 0);
	for (size_t i = 0; i < T_ARRAY_SIZE(fds); i++) {
		unit_reset(u);
		t_refused(adopt(u, fds[i], &err), -EINVAL, GMEM_REASON_NOT_A_VM,
			  err);
		assert_int_equal(err.value, fds[i]);
		assert_true(unit_is_open(fds[i]));
		/* what might hang is not asked */
		assert_int_equal(unit_count(u, "ioctl", 0), i == 1);
		assert_int_equal(unit_mappings(u), maps);
		assert_int_equal(unit_sys.close(u, fds[i]), 0);
	}
	t_refused(adopt(u, fds[0], &err), -EBADF, GMEM_REASON_BAD_FD, err);
	unit_reset(u);
	t_refused(adopt(u, -1, &err), -EBADF, GMEM_REASON_BAD_FD, err);
	assert_int_equal(u->n_calls, 0);
	assert_null(u->vm);
}

static void adopt_refuses_what_only_open_can_do(void **state)
{
	struct unit *u = *state;
	int fd = unit_vm_fd(u, 0);
	struct gmem_vm_opts o = { .sz = sizeof(o), .type = 7 };
	struct gmem_error err;

	t_refused(gmem__vm_adopt_on(&unit_sys, u, fd, &o, &u->vm, &err),
		  -EINVAL, GMEM_REASON_VALUE_UNKNOWN, err);
	o = (struct gmem_vm_opts){ .sz = sizeof(o), .ipa_bits = 40 };
	t_refused(gmem__vm_adopt_on(&unit_sys, u, fd, &o, &u->vm, &err),
		  -EINVAL, GMEM_REASON_VALUE_UNKNOWN, err);
	o = (struct gmem_vm_opts){ .sz = sizeof(o), .device = "/dev/kvm" };
	t_refused(gmem__vm_adopt_on(&unit_sys, u, fd, &o, &u->vm, &err),
		  -EINVAL, GMEM_REASON_VALUE_UNKNOWN, err);
	t_refused(gmem__vm_adopt_on(&unit_sys, u, fd, NULL, NULL, &err),
		  -EINVAL, GMEM_REASON_NULL_ARGUMENT, err);
	assert_int_equal(u->n_calls, 0);
	assert_null(u->vm);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void adopt_in_another_process_is_not_called_unsupported(void **state)
{
	struct unit *u = *state;
	int fd = unit_vm_fd(u, 0);
	struct gmem_error err;

	/* the kernel's answer is that of a dead VM */
	((struct vm *)model__object(u->k, fd))->dead = true;
	t_refused(adopt(u, fd, &err), -EIO, GMEM_REASON_WRONG_PROCESS, err);
	assert_true(err.flags & GMEM_ERROR_DIAGNOSED);
	assert_null(u->vm);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

static void close_waits_for_the_files(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGE, SHARED_FLAGS), *other;
	struct gmem_error err;

	t_refused(gmem_vm_close(u->vm, &err), -EBUSY, GMEM_REASON_HAS_FILES,
		  err);
	assert_int_equal(err.value, 1);
	assert_string_equal(err.msg, "the VM still has 1 file");
	assert_int_equal(u->n_calls, 0);
	other = unit_create(u, PAGE, SHARED_FLAGS);
	t_refused(gmem_vm_close(u->vm, &err), -EBUSY, GMEM_REASON_HAS_FILES,
		  err);
	assert_string_equal(err.msg, "the VM still has 2 files");
	t_ok(gmem_close(other, &err), err);
	t_ok(gmem_close(g, &err), err);
	t_ok(gmem_vm_close(u->vm, &err), err);
	u->vm = NULL;
}

static void null_is_closed_and_destroyed_without_a_word(void **state)
{
	struct gmem_error err;

	(void)state;
	t_ok(gmem_vm_close(NULL, &err), err);
	t_ok(gmem_vm_destroy(NULL, &err), err);
	t_ok(gmem_close(NULL, &err), err);
	t_code(gmem_vm_fd(NULL), -EINVAL);
}

static void destroy_takes_the_slots_before_the_mappings(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_error err;
	void *p = NULL;
	unsigned int last_slot = 0, first_unmap = UINT32_MAX;

	unit_bind(u, g, 0, 0);
	t_ok(gmem_mmap(g, 0, PAGE, NULL, &p, &err), err);
	unit_reset(u);
	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL;
	assert_null(unit_slot(u, 0));
	for (unsigned int i = 0; i < u->n_calls; i++) {
		if (!strcmp(u->calls[i].name, "ioctl"))
			last_slot = i;
		if (!strcmp(u->calls[i].name, "munmap") && first_unmap > i)
			first_unmap = i;
	}
	assert_true(last_slot < first_unmap);
}

static void closing_works_after_the_vm_died(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, PAGE, SHARED_FLAGS);
	struct gmem_error err;

	t_ok(gmem_model_kill(u->vm, &err), err);
	t_ok(gmem_close(g, &err), err);
	t_ok(gmem_vm_close(u->vm, &err), err);
	u->vm = NULL;
}

static void calls_on_a_dead_vm_say_so(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;
	struct gmem *g = NULL;

	t_ok(gmem_model_kill(u->vm, &err), err);
	t_refused(gmem_create(u->vm, PAGE, NULL, &g, &err), -EINVAL,
		  GMEM_REASON_NEVER_USED, err);
	t_refused(gmem_create(u->vm, PAGE,
			      &(struct gmem_create_opts){
				      .sz = sizeof(struct gmem_create_opts),
				      .flags = SHARED_FLAGS },
			      &g, &err),
		  -EIO, GMEM_REASON_VM_DEAD, err);
	assert_int_equal(err.sys_errno, EIO);
	assert_null(g);
}

#define REFUSED(call) ((call) == -EIO || (print_error("%s\n", #call), false))

/*
 * Every call in a forked child; 0 if all said so without a system call.  Not
 * one after a call that works: without its parent's mappings it may hang.
 */
static int in_child(struct unit *u, struct gmem *g, void *mapped,
		    const int fds[2])
{
	struct gmem_slot s = { .sz = sizeof(s), .fd = -1, .len = PAGE };
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem *out = NULL;
	char b[8];
	uint64_t a;
	size_t len = 0;
	void *p = NULL;
	bool refused =
		REFUSED(gmem_vm_feature(u->vm, 0, NULL, &err)) &&
		REFUSED(gmem_vm_fd(u->vm)) && REFUSED(gmem_fd(g)) &&
		!gmem_size(g) && !gmem_page_size(g) && !gmem_flags(g) &&
		REFUSED(gmem_create(u->vm, PAGE, NULL, &out, &err)) &&
		REFUSED(gmem_adopt(u->vm, 0, NULL, &out, &err)) &&
		REFUSED(t_bind(g, 1, GiB, 0, PAGE, NULL, &err)) &&
		REFUSED(gmem_unbind(u->vm, 0, 0, 0, &err)) &&
		REFUSED(gmem_slot_note(u->vm, &s, &err)) &&
		REFUSED(gmem_slot_forget(u->vm, 0, 0, &err)) &&
		REFUSED(gmem_slot_get(u->vm, 0, 0, &s, &err)) &&
		REFUSED(gmem_set_attributes(g, 0, PAGE, 0, NULL, &err)) &&
		REFUSED(gmem_set_private(g, 0, PAGE, &err)) &&
		REFUSED(t_share(g, 0, PAGE, &err)) &&
		REFUSED(gmem_get_attributes(g, 0, PAGE, &a, NULL, &err)) &&
		REFUSED(gmem_attributes_export(g, NULL, &len, &err)) &&
		REFUSED(gmem_attributes_import(g, b, sizeof(b), 0, &err)) &&
		REFUSED(gmem_mmap(g, 0, PAGE, NULL, &p, &err)) &&
		REFUSED(gmem_munmap(g, mapped, &err)) &&
		REFUSED(gmem_read(g, 0, b, sizeof(b), &err)) &&
		REFUSED(gmem_write(g, 0, b, sizeof(b), &err)) &&
		REFUSED(gmem_close(g, &err)) &&
		REFUSED(gmem_vm_close(u->vm, &err));

	if (!refused)
		return 10;
	unit_forked(u);
	if (err.reason != GMEM_REASON_WRONG_PROCESS || out || p)
		return 1;
	if (u->n_calls || u->n_allocs)
		return 2;
	/* releases what was inherited and leaves the parent's slot alone */
	if (gmem_vm_destroy(u->vm, &err) || unit_mappings(u) ||
	    u->live_allocs || unit_is_open(fds[0]) || unit_is_open(fds[1]))
		return 3;
	return unit_count(u, "ioctl", 0) ? 4 : 0;
}

static void a_forked_child_is_refused_without_a_system_call(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 64 * KiB, SHARED_FLAGS);
	const int fds[] = { gmem_vm_fd(u->vm), gmem_fd(g) };
	struct gmem_error err;
	void *p = NULL;
	int status = 0;
	pid_t pid;

	unit_bind(u, g, 0, 0);
	t_ok(gmem_mmap(g, 0, PAGE, NULL, &p, &err), err);
	unit_reset(u);
	pid = fork();
	if (!pid)
		_exit(in_child(u, g, p, fds));
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	t_ok(gmem_unbind(u->vm, 0, 0, 0, &err), err); /* the parent continues */
}

struct seen {
	struct gmem_trace ev[64];
	unsigned int n;
};

static void note(void *arg, const struct gmem_trace *ev)
{
	struct seen *s = arg;

	s->ev[s->n++ % T_ARRAY_SIZE(s->ev)] = *ev;
}

static void the_trace_tells_of_each_call(void **state)
{
	struct unit *u = *state;
	struct seen *seen = calloc(1, sizeof(*seen));
	struct gmem_vm_opts o = { .sz = sizeof(o),
				  .trace = note,
				  .trace_arg = seen };
	struct gmem_create_opts c = { .sz = sizeof(c), .flags = SHARED_FLAGS };
	struct gmem_error err;
	struct gmem *g = NULL;

	t_ok(open_vm(u, &o, &err), err);
	assert_int_equal(seen->n, u->n_calls);
	memset(seen, 0, sizeof(*seen));
	unit_reset(u);
	t_ok(gmem_create(u->vm, 2 * PAGE, &c, &g, &err), err);
	assert_int_equal(seen->n, 2);
	assert_int_equal(seen->ev[0].sz, sizeof(seen->ev[0]));
	assert_string_equal(seen->ev[0].call, "KVM_CREATE_GUEST_MEMFD");
	assert_int_equal(seen->ev[0].arg[0], gmem_vm_fd(u->vm));
	assert_int_equal(seen->ev[0].arg[1], 2 * PAGE);
	assert_int_equal(seen->ev[0].arg[2], 3);
	assert_int_equal(seen->ev[0].result, gmem_fd(g));
	assert_int_equal(seen->ev[0].ns, 1);
	assert_string_equal(seen->ev[1].call, "fcntl");
	assert_int_equal(seen->ev[1].result, 0);
	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL;
	free(seen);
}

struct looker {
	struct gmem_vm *vm;
	struct gmem_feature_info info;
	int last;
};

static void look(void *arg, const struct gmem_trace *ev)
{
	struct looker *l = arg;

	(void)ev;
	if (l->vm)
		l->last = gmem_vm_feature(l->vm, 0, &l->info, NULL);
}

static void a_callback_of_the_closing_call_may_look(void **state)
{
	struct unit *u = *state;
	struct looker l = { .info = { .sz = sizeof(l.info) } };
	struct gmem_vm_opts o = { .sz = sizeof(o),
				  .trace = look,
				  .trace_arg = &l };
	struct gmem_error err;

	t_ok(open_vm(u, &o, &err), err);
	l.vm = u->vm;
	t_ok(gmem_vm_close(u->vm, &err), err);
	u->vm = NULL;
	t_code(l.last, -EIO); /* the handle was on its way out */
}

/* The @nth traced call of that name. */
static const struct gmem_trace *traced(const struct seen *s, const char *call,
				       unsigned int nth)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (!strcmp(s->ev[i].call, call) && !nth--)
			return &s->ev[i];
	return NULL;
}

static void has_args(const struct seen *s, const char *call, uint64_t a0,
		     uint64_t a1, uint64_t a2, uint64_t a3)
{
	const struct gmem_trace *ev = traced(s, call, 0);

	assert_non_null(ev);
	assert_int_equal(ev->arg[0], a0);
	assert_int_equal(ev->arg[1], a1);
	assert_int_equal(ev->arg[2], a2);
	assert_int_equal(ev->arg[3], a3);
}

/* The slot, its attributes by either interface, with what they are given. */
static void traced_life(struct unit *u, struct seen *seen)
{
	struct gmem_error err;
	struct gmem *g = NULL;
	uint64_t vm = (uint64_t)gmem_vm_fd(u->vm);

	t_ok(gmem_create(u->vm, 64 * KiB, NULL, &g, &err), err);
	memset(seen, 0, sizeof(*seen));
	t_ok(t_bind(g, 3, GiB, PAGE, 2 * PAGE, NULL, &err), err);
	t_ok(t_share(g, PAGE, PAGE, &err), err);
	t_ok(gmem_set_private(g, PAGE, 2 * PAGE, &err), err);
	has_args(seen, "KVM_SET_USER_MEMORY_REGION2", vm, 3, GiB, 2 * PAGE);
	if (unit_in_place(u))
		has_args(seen, "KVM_SET_MEMORY_ATTRIBUTES2",
			 (uint64_t)gmem_fd(g), PAGE, PAGE, 0);
	else
		has_args(seen, "KVM_SET_MEMORY_ATTRIBUTES", vm, GiB, 2 * PAGE,
			 8);
	t_ok(gmem_unbind(u->vm, 3, 0, 0, &err), err);
	has_args(seen, "KVM_SET_USER_MEMORY_REGION", vm, 3, 0, 0);
}

static void the_trace_has_the_arguments_of_each_ioctl(void **state)
{
	struct unit *u = *state;
	struct seen *seen = calloc(1, sizeof(*seen));
	struct gmem_vm_opts o = { .sz = sizeof(o),
				  .type = GMEM_VM_SW_PROTECTED,
				  .trace = note,
				  .trace_arg = seen };
	struct gmem_error err;

	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL;
	t_ok(open_vm(u, &o, &err), err);
	traced_life(u, seen);
	t_ok(gmem_vm_destroy(u->vm, &err), err);
	u->vm = NULL;
	free(seen);
}

/* Its .sz was never set: whatever else is there may be garbage too. */
static void closing_with_a_bad_error_changes_nothing(void **state)
{
	struct unit *u = *state;
	struct gmem *g = unit_create(u, 1 * MiB, SHARED_FLAGS);
	struct gmem_error bad = { .sz = 1 };
	struct gmem_error err;

	unit_reset(u);
	t_code(gmem_close(g, &bad), -EINVAL);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_close(g, &err), err);
	unit_reset(u);
	t_code(gmem_vm_close(u->vm, &bad), -EINVAL);
	assert_int_equal(u->n_calls, 0);
}

static void the_device_is_opened_to_read_and_write(void **state)
{
	struct unit *u = *state;
	struct gmem_error err;

	t_ok(open_vm(u, NULL, &err), err);
	assert_int_equal(unit_nth(u, "openat", 0, 0)->arg[2],
			 O_RDWR | O_CLOEXEC);
}

/* The number that it gave, or else the errno. */
static void what_is_no_kvm_device_is_told_by_its_answer(void **state)
{
	static const struct {
		int answer, sys;
		uint64_t value;
	} rows[] = {
		{ 11, 0, 11 },
		{ 1, 0, 1 },
		{ 0, 0, 0 },
		{ -ENOTTY, ENOTTY, 0 },
		{ -EINVAL, EINVAL, 0 },
	};
	struct unit *u = *state;
	struct gmem_error err;

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		unit_reset(u);
		unit_answer(u, "ioctl", GET_API_VERSION, 1, 1, rows[i].answer);
		t_refused(open_vm(u, NULL, &err), -EINVAL, GMEM_REASON_NOT_KVM,
			  err);
		assert_int_equal(err.sys_errno, rows[i].sys);
		assert_int_equal(err.value, rows[i].value);
		assert_int_equal(err.limit, 12);
	}
}

static void the_number_of_slots_is_the_kernels_or_unknown(void **state)
{
	static const struct {
		int cap;
		uint32_t limit;
	} rows[] = {
		{ 1, 1 },
		{ 7, 7 },
		{ 0, 0x10000 },
		{ -EPERM, 0x10000 },
	};
	struct unit *u = *state;
	struct gmem_error err;

	for (size_t i = 0; i < T_ARRAY_SIZE(rows); i++) {
		struct gmem_slot s = { .sz = sizeof(s),
				       .slot = rows[i].limit,
				       .len = 1 * MiB,
				       .flags = GMEM_SLOT_CHECK_ONLY };

		unit_cap(u, OBJECT_VM, 10, rows[i].cap);
		t_ok(open_vm(u, NULL, &err), err);
		s.gmem = unit_create(u, 1 * MiB, SHARED_FLAGS);
		t_refused(gmem_bind(&s, &err), -EINVAL, GMEM_REASON_SLOT_LIMIT,
			  err);
		assert_int_equal(err.limit, rows[i].limit);
		s.slot--;
		s.flags |= GMEM_SLOT_OWN_ADDR; /* as another slot had it */
		s.userspace_addr = 1 * MiB;
		t_ok(gmem_bind(&s, &err), err);
		assert_int_equal(s.userspace_addr, 0);
		t_ok(gmem_vm_destroy(u->vm, &err), err);
		u->vm = NULL;
		assert_true(unit_balanced(u));
	}
}

static void a_vm_is_not_destroyed_without_room_for_the_error(void **state)
{
	struct unit *u = *state;
	struct gmem_error err = { .sz = 1 };

	t_code(gmem_vm_destroy(u->vm, &err), -EINVAL);
	assert_int_equal(u->n_calls, 0);
	t_ok(gmem_vm_destroy(u->vm, &u->err), u->err);
	u->vm = NULL;
}

/* Not that its own page could not be unmapped either. */
static void destroy_tells_the_first_failure(void **state)
{
	struct unit *u = *state;
	struct gmem_error err = { .sz = sizeof(err) };

	unit_create(u, 1 * MiB, SHARED_FLAGS);
	unit_bind(u, u->g, 0, GiB);
	unit_answer(u, "ioctl", 0x4020ae46, 1, 1, -EPERM);
	unit_answer(u, "munmap", 0, 1, UINT32_MAX, -ENOMEM);
	t_refused(gmem_vm_destroy(u->vm, &err), -EBUSY, GMEM_REASON_SLOT_STUCK,
		  err);
	u->vm = NULL;
	unit_reset(u);
	for (size_t i = 0; i < UNIT_MAPS; i++)
		if (u->maps[i].addr)
			assert_int_equal(unit_sys.munmap(u, u->maps[i].addr,
							 u->maps[i].len),
					 0);
}

/* A wait for another change, which a cancel may end: not by another clock. */
static void a_wait_for_a_turn_lasts_as_long_as_asked(void **state)
{
	struct unit *u = *state;
	uint64_t until;

	assert_int_equal(pthread_mutex_lock(&u->vm->lock), 0);
	until = gmem__sys_linux.now(NULL) + 20000000;
	gmem__sys_linux.cond_wait(NULL, &u->vm->turn, &u->vm->lock, 20000000);
	assert_true(gmem__sys_linux.now(NULL) >= until);
	assert_int_equal(pthread_mutex_unlock(&u->vm->lock), 0);
}

static void a_descriptor_without_kvm_s_memory_is_no_vm(void **state)
{
	struct unit *u = *state;
	int fd = unit_vm_fd(u, 0);
	struct gmem_error err;

	unit_cap(u, OBJECT_VM, 3, 0);
	t_refused(adopt(u, fd, &err), -EINVAL, GMEM_REASON_NOT_A_VM, err);
	assert_int_equal(err.sys_errno, 0);
	unit_cap(u, OBJECT_VM, 3, -ENOTTY);
	t_refused(adopt(u, fd, &err), -EINVAL, GMEM_REASON_NOT_A_VM, err);
	assert_int_equal(err.sys_errno, ENOTTY);
	assert_int_equal(unit_sys.close(u, fd), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(open_makes_a_vm_of_the_default_type, unit_bare),
		TEST(open_passes_the_number_of_each_type, unit_bare),
		TEST(open_refuses_what_it_does_not_know, unit_bare),
		TEST(open_refuses_a_type_that_the_host_lacks, unit_bare),
		TEST(a_refused_type_is_told_what_there_is, unit_bare),
		TEST(before_6_8_there_is_the_default_type_alone, unit_bare),
		TEST(open_tells_what_is_wrong_with_the_device, unit_bare),
		TEST(an_interrupted_creation_is_tried_again, unit_bare),
		TEST(a_refused_creation_has_its_reason, unit_bare),
		TEST(without_memory_open_gives_enomem, unit_bare),
		TEST(ipa_bits_are_for_arm64, unit_bare),
		TEST(arm64_is_made_with_its_ipa_bits, unit_arm64),
		TEST(an_adopted_vm_stays_the_callers, unit_bare),
		TEST(adopt_refuses_what_is_no_vm, unit_bare),
		TEST(adopt_refuses_what_only_open_can_do, unit_bare),
		TEST(adopt_in_another_process_is_not_called_unsupported,
		     unit_bare),
		TEST(close_waits_for_the_files, unit_default),
		TEST(closing_with_a_bad_error_changes_nothing, unit_default),
		TEST(null_is_closed_and_destroyed_without_a_word, unit_default),
		TEST(destroy_takes_the_slots_before_the_mappings, unit_default),
		TEST(closing_works_after_the_vm_died, unit_default),
		TEST(calls_on_a_dead_vm_say_so, unit_default),
		TEST(a_forked_child_is_refused_without_a_system_call,
		     unit_default),
		TEST(the_trace_tells_of_each_call, unit_bare),
		TEST(a_callback_of_the_closing_call_may_look, unit_bare),
		TEST(the_trace_has_the_arguments_of_each_ioctl, unit_sw),
		TEST(the_trace_has_the_arguments_of_each_ioctl, unit_inplace),
		TEST(the_device_is_opened_to_read_and_write, unit_bare),
		TEST(what_is_no_kvm_device_is_told_by_its_answer, unit_bare),
		TEST(the_number_of_slots_is_the_kernels_or_unknown, unit_bare),
		TEST(a_descriptor_without_kvm_s_memory_is_no_vm, unit_bare),
		TEST(a_vm_is_not_destroyed_without_room_for_the_error,
		     unit_default),
		TEST(destroy_tells_the_first_failure, unit_default),
		TEST(a_wait_for_a_turn_lasts_as_long_as_asked, unit_default),
	};

	return t_main(tests);
}
