// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "live.h"

/* ------------------------------------------------------- capabilities -- */

static bool has_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	bool yes;

	if (fd < 0)
		return false;
	yes = raw_ioctl(fd, GMEM__KVM_GET_API_VERSION, NULL) ==
	      GMEM__KVM_API_VERSION;
	close(fd);
	return yes;
}

/* What the kernel answers on the fd of a default VM; never negative. */
static int answer(unsigned long cap)
{
	int vm = raw_vm(0), r;

	if (vm < 0)
		return 0;
	r = raw_cap(vm, cap);
	close(vm);
	return r > 0 ? r : 0;
}

static bool has_guest_memfd(void)
{
	return answer(GMEM__CAP_GUEST_MEMFD);
}

static bool has_mmap(void)
{
	return answer(GMEM__CAP_GUEST_MEMFD_FLAGS) & GMEM__FLAG_MMAP;
}

static bool has_init_shared(void)
{
	return answer(GMEM__CAP_GUEST_MEMFD_FLAGS) & GMEM__FLAG_INIT_SHARED;
}

static bool has_private_memory(void)
{
	return answer(GMEM__CAP_VM_TYPES) & 1 << 1;
}

/* Attributes are the file's, as a call that changes nothing shows. */
static bool has_in_place(void)
{
	struct gmem__attributes2 a = { .size = 0 };
	int vm, fd, r;

	if (!has_private_memory())
		return false;
	vm = raw_vm(1);
	fd = raw_create(vm, sysconf(_SC_PAGESIZE), 0);
	r = raw_ioctl(fd, GMEM__KVM_SET_MEMORY_ATTRIBUTES2, &a);
	close(fd);
	close(vm);
	return r == -EINVAL;
}

/* Attributes are the VM's: shared memory is not the file's. */
static bool has_two_backings(void)
{
	return has_private_memory() && !has_in_place();
}

static bool has_bindable(void)
{
	return has_init_shared() || has_private_memory();
}

static bool has_pre_fault(void)
{
	return answer(GMEM__CAP_PRE_FAULT_MEMORY);
}

static bool has_two_dimensional_paging(void)
{
#ifdef __aarch64__
	return has_kvm();
#else
	return has_pre_fault();
#endif
}

static bool has_residency(void)
{
	int fd = memfd_create("live", MFD_CLOEXEC);
	int64_t n = raw_resident(fd, 0, 1);

	close(fd);
	return n >= 0;
}

static bool has_numa(void)
{
	return !syscall(SYS_get_mempolicy, NULL, NULL, 0, NULL, 0);
}

static bool has_mempolicy(void)
{
	return has_numa() && has_init_shared() && live_kernel(6, 19);
}

static bool has_seccomp(void)
{
	/* with filters, a NULL one is a bad address */
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) < 0 &&
	       errno == EFAULT;
}

static bool has_process_vm(void)
{
	char from = 0, to;
	struct iovec l = { &to, 1 }, r = { &from, 1 };

	return process_vm_readv(getpid(), &l, 1, &r, 1, 0) == 1;
}

/* What no configuration of this kernel could have. */
static bool before_6_18(void)
{
	return !live_kernel(6, 18);
}

static bool before_6_19(void)
{
	return !live_kernel(6, 19);
}

static bool on_arm64(void)
{
#ifdef __aarch64__
	return true;
#else
	return false;
#endif
}

/* A VM converts one way, and then nothing makes it convert the other. */
static bool never_in_place(void)
{
	return on_arm64() || has_two_backings() ||
	       access("/sys/module/kvm/parameters/gmem_in_place_conversion",
		      F_OK) < 0;
}

static bool never_two_backings(void)
{
	return on_arm64() || has_in_place();
}

static struct {
	const char *name;
	bool (*probe)(void);
	const char *lack;
	bool (*never)(void); /* NULL: another machine may have it */
	int known;	     /* 0 not yet, 1 no, 2 yes */
} capabilities[] = {
	{ "kvm", has_kvm, "no usable /dev/kvm", NULL, 0 },
	{ "guest-memfd", has_guest_memfd, "default VMs cannot bind one",
	  before_6_18, 0 },
	{ "mmap", has_mmap, "no GUEST_MEMFD_FLAG_MMAP; needs 6.18", before_6_18,
	  0 },
	{ "init-shared", has_init_shared,
	  "no GUEST_MEMFD_FLAG_INIT_SHARED; needs 6.18", before_6_18, 0 },
	{ "private-memory", has_private_memory, "no sw-protected VM type",
	  on_arm64, 0 },
	{ "in-place", has_in_place, "VMs here do not convert in place",
	  never_in_place, 0 },
	{ "two-backings", has_two_backings,
	  "VMs here do not convert by guest address", never_two_backings, 0 },
	{ "bindable", has_bindable, "no VM type here binds a file", NULL, 0 },
	{ "pre-fault", has_pre_fault, "KVM_CAP_PRE_FAULT_MEMORY is 0", on_arm64,
	  0 },
	{ "two-dimensional-paging", has_two_dimensional_paging,
	  "KVM pages in software here", NULL, 0 },
	{ "residency", has_residency, "no cachestat(2)", NULL, 0 },
	{ "process-vm", has_process_vm, "no process_vm_readv(2)", NULL, 0 },
	{ "seccomp", has_seccomp, "the kernel has no seccomp filters", NULL,
	  0 },
	{ "numa", has_numa, "the kernel has no memory policies", NULL, 0 },
	{ "mempolicy", has_mempolicy,
	  "Linux before 6.19 ignores a file's policy", before_6_19, 0 },
};

const char *live_capability(unsigned int index)
{
	return index < T_ARRAY_SIZE(capabilities) ? capabilities[index].name
						  : NULL;
}

static unsigned int find_capability(const char *name)
{
	for (unsigned int i = 0; i < T_ARRAY_SIZE(capabilities); i++)
		if (!strcmp(capabilities[i].name, name))
			return i;
	fail_msg("no capability \"%s\"", name);
	return 0;
}

bool live_has(const char *capability)
{
	unsigned int i = find_capability(capability);

	if (!capabilities[i].known)
		capabilities[i].known = capabilities[i].probe() ? 2 : 1;
	return capabilities[i].known == 2;
}

void live_need(const char *capability)
{
	unsigned int i = find_capability(capability);

	if (live_has(capability))
		return;
	if (capabilities[i].never && capabilities[i].never())
		t_not_applicable(capability, "%s", capabilities[i].lack);
	t_skip(capability, "%s", capabilities[i].lack);
}

bool live_kernel(unsigned int major, unsigned int minor)
{
	unsigned int a = 0, b = 0;
	struct utsname u;

	assert_int_equal(uname(&u), 0);
	assert_int_equal(sscanf(u.release, "%u.%u", &a, &b), 2);
	return a > major || (a == major && b >= minor);
}

/* ------------------------------------------------------------ fixture -- */

/* Several threads can run this at once. */
static void note_call(void *arg, const struct gmem_trace *event)
{
	struct live *l = arg;
	unsigned int i = __atomic_fetch_add(&l->n_calls, 1, __ATOMIC_RELAXED);

	if (strstr(event->call, "USER_MEMORY_REGION") && event->result == 0 &&
	    event->arg[1] < LIVE_SLOTS)
		__atomic_fetch_or(&l->slots, 1U << event->arg[1],
				  __ATOMIC_RELAXED);
	if (i < LIVE_CALLS) {
		l->calls[i].name = event->call;
		memcpy(l->calls[i].arg, event->arg, sizeof(event->arg));
		l->calls[i].result = event->result;
	}
	if (l->on_call)
		l->on_call(l, event);
}

int live_setup(void **state)
{
	struct live *l = calloc(1, sizeof(*l));

	if (!l)
		return -1;
	l->page = sysconf(_SC_PAGESIZE);
	l->vcpu = -1;
	l->fds_before = live_fds();
	*state = l;
	return 0;
}

/*
 * Checks that no page of the slot's range is private any more, on samples at
 * both ends and between them.  Needs a vCPU of the VM made last.
 */
static void check_attributes(struct live *l, const struct gmem_slot *s)
{
	for (uint64_t at = 0; at < s->len; at = at ? 2 * at : l->page)
		assert_false(guest_private(l, s->gpa + at));
	assert_false(guest_private(l, s->gpa + s->len - l->page));
}

/* Checks that discarding the slot's range of its file frees all its memory. */
static void check_residency(const struct gmem_slot *s)
{
	assert_int_equal(fallocate(s->fd,
				   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   (off_t)s->offset, (off_t)s->len),
			 0);
	t_code((int)raw_resident(s->fd, s->offset, s->len), 0);
}

/*
 * Unbinds what the library still has bound, then binds the same guest and
 * file range again without the library: the kernel refuses that if anything
 * of the slot is left.
 */
static void check_bound_slots(struct live *l, struct gmem_vm *vm)
{
	bool converts = gmem_vm_has(vm, GMEM_FEATURE_VM_ATTRIBUTES);
	struct gmem_slot s = { .sz = sizeof(s) };
	struct gmem_error err = { .sz = sizeof(err) };
	int fd = gmem_vm_fd(vm);

	for (uint32_t id = 0; id < LIVE_SLOTS; id++) {
		if (gmem_slot_get(vm, id, 0, &s, NULL) < 0 ||
		    s.flags & GMEM_SLOT_NOTED)
			continue;
		t_ok(gmem_unbind(vm, id, 0, 0, &err), err);
		if (s.flags & GMEM_SLOT_FD)
			t_code(raw_bind(fd, id, s.gpa, s.len, NULL, s.fd,
					s.offset),
			       0);
		else
			t_code(raw_plain(fd, id, s.gpa, s.len, NULL), 0);
		t_code(raw_delete(fd, id), 0);
		if (converts && vm == l->vm && live_has("pre-fault"))
			check_attributes(l, &s);
		if (s.flags & GMEM_SLOT_FD && live_has("residency"))
			check_residency(&s);
	}
}

/* Checks that slots which the test unbound itself leave nothing either. */
static void check_slots_come_back(struct live *l, struct gmem_vm *vm)
{
	uint32_t used = __atomic_load_n(&l->slots, __ATOMIC_RELAXED);
	int fd = gmem_vm_fd(vm);

	check_bound_slots(l, vm);
	for (uint32_t id = 0; id < LIVE_SLOTS; id++) {
		if (!(used & 1U << id))
			continue;
		/* no test has a slot like this, so nobody else made it */
		t_code(raw_plain(fd, id, 5 * l->page, 5 * l->page, NULL), 0);
		t_code(raw_delete(fd, id), 0);
	}
}

/* The guest memory on all nodes. */
static int64_t guest_memory(void)
{
	int64_t sum = 0, of_node;

	for (int node = 0; (of_node = live_guest_memory(node)) >= 0; node++)
		sum += of_node;
	return sum;
}

/* Inside a machine of tests/vm nothing else has guest memory. */
static void check_machine(void)
{
	if (!getenv("GMEM_VM_KERNEL"))
		return;
	for (int i = 0; guest_memory() > 0 && i < 1000; i++)
		usleep(10000); /* the kernel may free later */
	assert_int_equal(guest_memory(), 0);
}

int live_teardown(void **state)
{
	struct live *l = *state;
	struct gmem_error err = { .sz = sizeof(err) };

	for (unsigned int i = 0; i < l->n_vms; i++)
		if (l->vms[i])
			check_slots_come_back(l, l->vms[i]);
	if (l->run)
		munmap(l->run, l->run_size);
	if (l->vcpu >= 0)
		close(l->vcpu);
	for (unsigned int i = l->n_vms; i--;)
		t_ok(gmem_vm_destroy(l->vms[i], &err), err);
	for (unsigned int i = 0; i < l->n_maps; i++)
		munmap(l->maps[i].addr, l->maps[i].len);
	for (unsigned int i = 0; i < l->n_fds; i++)
		close(l->fds[i]);
	assert_int_equal(live_fds(), l->fds_before);
	assert_int_equal(live_guest_maps(), 0);
	check_machine();
	free(l);
	return 0;
}

struct gmem_vm *live_vm(struct live *l, uint32_t type)
{
	struct gmem_vm_opts opts = {
		.sz = sizeof(opts),
		.type = type,
		.trace = note_call,
		.trace_arg = l,
	};

	live_need("kvm");
	assert_true(l->n_vms < T_ARRAY_SIZE(l->vms));
	live_ok(l, gmem_vm_open(&opts, &l->vm, &l->err));
	l->vms[l->n_vms++] = l->vm;
	l->n_calls = 0;
	return l->vm;
}

void live_forget_vm(struct live *l, const struct gmem_vm *vm)
{
	for (unsigned int i = 0; i < l->n_vms; i++)
		if (l->vms[i] == vm)
			l->vms[i] = NULL;
}

struct gmem *live_file(struct live *l, uint64_t pages, uint64_t flags)
{
	struct gmem_create_opts opts = { .sz = sizeof(opts), .flags = flags };

	live_ok(l, gmem_create(l->vm, pages * l->page, &opts, &l->g, &l->err));
	return l->g;
}

struct gmem *live_bindable(struct live *l, uint64_t pages)
{
	bool shared = live_has("init-shared");

	live_need("bindable");
	live_vm(l, shared ? GMEM_VM_DEFAULT : GMEM_VM_SW_PROTECTED);
	return live_file(l, pages, shared ? LIVE_SHARED : 0);
}

int live_keep_fd(struct live *l, int fd)
{
	if (fd < 0)
		return fd;
	assert_true(l->n_fds < T_ARRAY_SIZE(l->fds));
	l->fds[l->n_fds++] = fd;
	return fd;
}

void *live_keep_map(struct live *l, void *addr, size_t len)
{
	assert_true(addr != MAP_FAILED);
	assert_true(l->n_maps < T_ARRAY_SIZE(l->maps));
	l->maps[l->n_maps].addr = addr;
	l->maps[l->n_maps++].len = len;
	return addr;
}

unsigned char *live_memory(struct live *l, size_t len, int byte)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	live_keep_map(l, p, len);
	return memset(p, byte, len);
}

unsigned char *live_decoy(struct live *l, size_t len, int byte)
{
	struct gmem_slot s = { .sz = sizeof(s) };
	void *p;

	live_ok(l, gmem_slot_get(l->vm, 0, 0, &s, &l->err));
	p = mmap((void *)(uintptr_t)s.userspace_addr, len,
		 PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	assert_true(p != MAP_FAILED);
	return memset(p, byte, len);
}

int64_t live_guest_memory(int node)
{
	char path[64], line[128];
	long long kib = -1;
	FILE *f;

	/* makes the CPUs add up their counters; needs root */
	f = fopen("/proc/sys/vm/stat_refresh", "re");
	if (f) {
		(void)fgets(line, sizeof(line), f);
		fclose(f);
	}
	(void)snprintf(path, sizeof(path),
		       "/sys/devices/system/node/node%d/meminfo", node);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (kib < 0 && fgets(line, sizeof(line), f))
		(void)sscanf(line, "Node %*d Unevictable: %lld kB", &kib);
	fclose(f);
	assert_true(kib >= 0);
	return kib * 1024;
}

/* -------------------------------------------------------- the process -- */

unsigned int live_fds(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static unsigned int count_maps(ino_t ino, const char *word)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	unsigned long at;
	unsigned int n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %*s %*s %*s %lu", &at) != 1)
			continue;
		n += (!ino || at == ino) && (!word || strstr(line, word));
	}
	fclose(f);
	return n;
}

unsigned int live_map_lines(void)
{
	return count_maps(0, NULL);
}

unsigned int live_guest_maps(void)
{
	return count_maps(0, "[kvm-gmem]");
}

static struct stat stat_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st;
}

unsigned int live_maps_of(int fd)
{
	return count_maps(stat_of(fd).st_ino, "[kvm-gmem]");
}

unsigned int live_fds_of(int fd)
{
	struct stat want = stat_of(fd), st;
	unsigned int n = 0;

	for (int i = 0; i < 1024; i++)
		n += !fstat(i, &st) && st.st_ino == want.st_ino &&
		     st.st_dev == want.st_dev;
	return n;
}

static sigjmp_buf bus_back;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	siglongjmp(bus_back, info->si_code);
}

int live_touch(const volatile unsigned char *at)
{
	struct sigaction act = { .sa_sigaction = on_bus,
				 .sa_flags = SA_SIGINFO };
	struct sigaction old;
	int code;

	sigaction(SIGBUS, &act, &old);
	code = sigsetjmp(bus_back, 1);
	if (!code)
		(void)*at;
	sigaction(SIGBUS, &old, NULL);
	return code;
}

int live_child_failed(const char *expr, const char *file, int line)
{
	dprintf(2, "%s:%d: in the child: %s\n", file, line, expr);
	return 1;
}

void live_child(struct live *l, int (*fn)(struct live *l))
{
	pid_t pid;
	int status;

	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(fn(l));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}
