// SPDX-License-Identifier: MIT
/*
 * vm_hostile [SECONDS [SEED]]
 *
 * A guest of two vCPUs that attacks in and around its memory, while the VMM
 * serves its requests, and binds, unbinds, converts and discards that memory in
 * two more threads.  No memory of the VMM must change, and each kind of attack
 * and of exit must have happened.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "canary.h"
#include "hostile.h"

#define SECONDS 10
#define VCPUS 2
#define WORKERS 2
#define PIECES 4 /* of a file, each a slot's */
#define RAM_SLOT 30
#define FRESH 6
#define GUARD (1UL << 20)
#define TICK 25000000L /* ns; a program has two of them */
#define EXITS_MAX 200  /* of a program */
#define PATIENCE 120   /* seconds; it takes milliseconds */
#define MESSAGES 8

static const char *const event_names[EVENTS] = {
	[EXIT_HALT] = "halts",
	[EXIT_STRING_IN] = "string input exits",
	[EXIT_STRING_OUT] = "string output exits",
	[EXIT_PORT] = "requests by port",
	[EXIT_HYPERCALL] = "requests by hypercall",
	[EXIT_MMIO] = "MMIO exits",
	[EXIT_NO_SYNDROME] = "exits without a syndrome",
	[EXIT_EXCEPTION] = "exceptions",
	[EXIT_SHUTDOWN] = "shutdowns",
	[EXIT_INTERNAL] = "internal errors",
	[EXIT_INTERRUPTED] = "interruptions",
	[EXIT_FAULT] = "memory faults",
	[EXIT_BARE_FAULT] = "faults without an exit",
	[VMM_BOUND] = "binds",
	[VMM_UNBOUND] = "unbinds",
	[VMM_TO_PRIVATE] = "conversions to private",
	[VMM_TO_SHARED] = "conversions to shared",
	[VMM_DISCARDED] = "discards",
	[VMM_REFUSED] = "refusals",
	[VMM_FRESH] = "canaries where memory was freed",
	[CHECKED] = "records checked",
};

struct file {
	struct gmem *g;
	uint64_t size;
	uint64_t gpa;
	bool bare;	       /* no shared side */
	unsigned char *memory; /* the VMM's, for shared pages; or NULL */
};

struct worker {
	pthread_t thread;
	struct dice dice;
	struct {
		void *at;
		size_t len;
	} fresh[FRESH];
};

static struct {
	unsigned int seconds;
	uint64_t seed;
	struct live *l;
	bool in_place, by_gpa; /* how the VM converts; or it does not */
	struct file files[2];
	unsigned char *ram;
	struct vcpu_thread vcpus[VCPUS];
	struct worker workers[WORKERS];
	int stop;
	unsigned long count[EVENTS];
	pthread_mutex_t lock;
	unsigned int failures;
	char messages[MESSAGES][256];
} h = { .lock = PTHREAD_MUTEX_INITIALIZER };

void happened(enum event event)
{
	__atomic_fetch_add(&h.count[event], 1, __ATOMIC_RELAXED);
}

void failed(const char *fmt, ...)
{
	va_list ap;

	(void)pthread_mutex_lock(&h.lock);
	va_start(ap, fmt);
	if (h.failures < MESSAGES)
		(void)vsnprintf(h.messages[h.failures], sizeof(h.messages[0]),
				fmt, ap);
	va_end(ap);
	h.failures++;
	(void)pthread_mutex_unlock(&h.lock);
}

static bool stopping(void)
{
	return __atomic_load_n(&h.stop, __ATOMIC_RELAXED);
}

uint64_t dice_roll(struct dice *d, uint64_t sides)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (z ^ (z >> 31)) % sides;
}

bool dice_percent(struct dice *d, unsigned int percent)
{
	return dice_roll(d, 100) < percent;
}

unsigned int dice_one_of(struct dice *d, const unsigned char *often)
{
	uint64_t n = dice_roll(d, 100);
	unsigned int i = 0;

	while (n >= often[i])
		n -= often[i++];
	return i;
}

uint64_t hostile_page(struct dice *d, unsigned int bare)
{
	uint64_t gpa;

	if (dice_percent(d, 10))
		return HOSTILE_BARE +
		       dice_roll(d, (HOSTILE_END - HOSTILE_BARE) >> 12) * 4096;
	if (dice_percent(d, bare))
		gpa = HOSTILE_BARE +
		      dice_roll(d, HOSTILE_BARE_SIZE >> 12) * 4096;
	else
		gpa = HOSTILE_BACKED +
		      dice_roll(d, HOSTILE_BACKED_SIZE >> 12) * 4096;
	return gpa + (dice_percent(d, 25) ? HOSTILE_ELSEWHERE : 0);
}

/* ------------------------------------------------- what the VMM does -- */

/* Whether @r is success or one of the allowed refusals (0: none). */
static bool done(const char *what, int r, const struct gmem_error *err,
		 const uint32_t *may)
{
	char text[200];

	if (r >= 0)
		return true;
	for (; *may; may++) {
		if (err->reason == *may) {
			happened(VMM_REFUSED);
			return false;
		}
	}
	gmem_strerror(err, text, sizeof(text));
	failed("%s: %s", what, text);
	return false;
}

static struct file *file_of(const struct gmem *g)
{
	return g == h.files[0].g ? &h.files[0] : &h.files[1];
}

static bool find_slot(uint64_t gpa, struct gmem_slot *slot)
{
	for (uint32_t id = 0; id < 2 * PIECES; id++) {
		slot->sz = sizeof(*slot);
		if (!gmem_slot_get(h.l->vm, id, 0, slot, NULL) &&
		    gpa - slot->gpa < slot->len)
			return true;
	}
	return false;
}

bool hostile_convert(struct dice *d, uint64_t gpa, uint64_t pages, bool private)
{
	struct gmem_attributes_opts opts = { .sz = sizeof(opts) };
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_slot slot;
	/* its slot may be deleted meanwhile; in place KVM may hold a page */
	uint32_t may[] = { GMEM_REASON_NOT_BOUND, GMEM_REASON_PAGE_IN_USE, 0,
			   0 };
	uint64_t at, len;
	int r;

	if (!(h.in_place || h.by_gpa) || !find_slot(gpa, &slot))
		return false;
	at = gpa - slot.gpa;
	len = slot.len - at;
	if (pages < len / h.l->page)
		len = pages * h.l->page;
	if (!len)
		return false;
	if (file_of(slot.gmem)->bare && !private) {
		if (dice_percent(d, 75))
			opts.flags = GMEM_ATTRIBUTES_UNBACKED;
		else
			may[2] = GMEM_REASON_NO_SHARED_SIDE;
	}
	r = gmem_set_attributes(slot.gmem, slot.offset + at, len,
				private ? GMEM_ATTRIBUTE_PRIVATE
					: GMEM_ATTRIBUTE_SHARED,
				&opts, &err);
	if (!done("conversion", r, &err, may))
		return false;
	happened(private ? VMM_TO_PRIVATE : VMM_TO_SHARED);
	return true;
}

/* Binds part of a piece, whose slot and guest address are its own. */
static void bind(struct dice *d)
{
	static const uint32_t may[] = { GMEM_REASON_SLOT_IN_USE,
					GMEM_REASON_RANGE_BOUND,
					GMEM_REASON_GPA_OVERLAP, 0 };
	struct gmem_slot opts = { .sz = sizeof(opts) };
	struct gmem_error err = { .sz = sizeof(err) };
	uint32_t id = (uint32_t)dice_roll(d, 2 * PIECES);
	struct file *f = &h.files[id / PIECES];
	uint64_t piece = f->size / PIECES, start = 0, end = piece;
	uint64_t offset, gpa;

	if (dice_percent(d, 50)) {
		start = dice_roll(d, piece / h.l->page) * h.l->page;
		end = start + (1 + dice_roll(d, (piece - start) / h.l->page)) *
				      h.l->page;
	}
	offset = id % PIECES * piece + start;
	gpa = f->gpa + offset;
	if (dice_percent(d, 25))
		gpa += HOSTILE_ELSEWHERE;
	if (f->memory) {
		opts.flags |= GMEM_SLOT_USERSPACE_ADDR;
		opts.userspace_addr = (uintptr_t)f->memory + offset;
	}
	if (!f->bare && dice_percent(d, 50))
		opts.flags |= GMEM_SLOT_LEAVE_SHARED;
	if (done("bind",
		 t_bind(f->g, id, gpa, offset, end - start, &opts, &err), &err,
		 may))
		happened(VMM_BOUND);
}

/* Maps memory of the VMM, perhaps where a slot's memory has just been. */
static void put_fresh(struct worker *w, size_t len)
{
	unsigned int i = (unsigned int)dice_roll(&w->dice, FRESH);

	if (w->fresh[i].at) {
		if (!canary_untouched(w->fresh[i].at, w->fresh[i].len))
			failed("something touched the VMM's new memory at %p",
			       w->fresh[i].at);
		munmap(w->fresh[i].at, w->fresh[i].len);
	}
	w->fresh[i].at = canary_fresh(len);
	w->fresh[i].len = len;
	if (w->fresh[i].at)
		happened(VMM_FRESH);
}

static void unbind(struct worker *w)
{
	static const uint32_t may[] = { GMEM_REASON_NOT_BOUND, 0 };
	uint64_t flags = 0;
	struct gmem_error err = { .sz = sizeof(err) };
	uint32_t id = (uint32_t)dice_roll(&w->dice, 2 * PIECES);
	struct file *f = &h.files[id / PIECES];

	if (dice_percent(&w->dice, 25))
		flags = GMEM_UNBIND_KEEP_ATTRIBUTES;
	if (!done("unbind", gmem_unbind(h.l->vm, id, 0, flags, &err), &err,
		  may))
		return;
	happened(VMM_UNBOUND);
	put_fresh(w, f->size);
	put_fresh(w, f->size / PIECES);
}

static void discard(struct dice *d)
{
	static const uint32_t may[] = { 0 };
	struct gmem_error err = { .sz = sizeof(err) };
	struct file *f = &h.files[dice_roll(d, 2)];
	uint64_t pages = f->size / h.l->page;
	uint64_t at = dice_roll(d, pages);
	uint64_t n = 1 + dice_roll(d, pages - at);

	if (done("discard",
		 gmem_discard(f->g, at * h.l->page, n * h.l->page, NULL, &err),
		 &err, may))
		happened(VMM_DISCARDED);
}

static uint64_t somewhere(struct dice *d)
{
	struct file *f = &h.files[dice_roll(d, 2)];

	return f->gpa + dice_roll(d, f->size / h.l->page) * h.l->page +
	       (dice_percent(d, 25) ? HOSTILE_ELSEWHERE : 0);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!stopping()) {
		uint64_t n = dice_roll(&w->dice, 100);

		if (n < 35)
			bind(&w->dice);
		else if (n < 55)
			unbind(w);
		else if (n < 90)
			(void)hostile_convert(&w->dice, somewhere(&w->dice),
					      dice_roll(&w->dice, 1024),
					      dice_percent(&w->dice, 60));
		else
			discard(&w->dice);
		usleep((useconds_t)dice_roll(&w->dice, 3000));
	}
	return NULL;
}

/* -------------------------------------------------- what the guest does -- */

static void next_program(struct vcpu_thread *v)
{
	hostile_program(h.ram + v->id * HOSTILE_RAM_PART, &v->dice, v->id);
	flat_reset(&v->vcpu, HOSTILE_RAM + v->id * HOSTILE_RAM_PART,
		   HOSTILE_RAM + v->id * HOSTILE_RAM_PART + HOSTILE_STACK);
	v->ticks = 0;
	v->exits = 0;
}

void hostile_look(const unsigned char *data, size_t len)
{
	uint32_t word[2];

	for (size_t i = 0; i + sizeof(word) <= len; i += sizeof(word[0])) {
		memcpy(word, data + i, sizeof(word));
		if (canary_is(word[0]) && canary_is(word[1]))
			failed("the guest read %#x %#x of the VMM's memory",
			       word[0], word[1]);
	}
}

static bool on_fault(struct vcpu_thread *v)
{
	if (v->vcpu.run->exit_reason != FLAT_EXIT_MEMORY_FAULT) {
		if (v->vcpu.run->exit_reason != KVM_EXIT_UNKNOWN)
			failed("EFAULT with exit %u", v->vcpu.run->exit_reason);
		happened(EXIT_BARE_FAULT);
		return false;
	}
	happened(EXIT_FAULT);
	return dice_percent(&v->dice, 50) &&
	       hostile_convert(&v->dice, flat_fault_gpa(&v->vcpu), 1,
			       flat_fault_flags(&v->vcpu) &
				       GMEM__ATTRIBUTE_PRIVATE);
}

static bool go_on(struct vcpu_thread *v, int r)
{
	if (++v->exits > EXITS_MAX)
		return false;
	if (r == 0)
		return hostile_exit(v);
	if (r == -EFAULT)
		return on_fault(v);
	if (r == -EINTR) {
		happened(EXIT_INTERRUPTED);
		return ++v->ticks < 2;
	}
	failed("KVM_RUN: %s", strerror(-r));
	return false;
}

static void on_tick(int sig)
{
	(void)sig;
}

/* Interrupts the calling thread regularly, so that each program ends. */
static bool start_ticking(timer_t *timer)
{
	struct itimerspec every = {
		.it_value.tv_nsec = TICK,
		.it_interval.tv_nsec = TICK,
	};
	struct sigevent event;

	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = SIGUSR1;
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	return !timer_create(CLOCK_MONOTONIC, &event, timer) &&
	       !timer_settime(*timer, 0, &every, NULL);
}

static void *run_vcpu(void *arg)
{
	struct vcpu_thread *v = arg;
	timer_t timer;

	if (!start_ticking(&timer)) {
		failed("no timer: %s", strerror(errno));
		return NULL;
	}
	next_program(v);
	while (!stopping())
		if (!go_on(v, flat_run(&v->vcpu)))
			next_program(v);
	(void)timer_delete(timer);
	return NULL;
}

/* ------------------------------------------------------------ start, end -- */

/*
 * One file has nothing that the host may touch.  The other has a shared side:
 * where attributes are the VM's, memory of the VMM between guards, otherwise
 * the file itself.
 */
static void make_files(struct live *l)
{
	struct gmem_create_opts opts = { .sz = sizeof(opts) };
	struct file *f = h.files;

	f[0] = (struct file){ .size = HOSTILE_BARE_SIZE,
			      .gpa = HOSTILE_BARE,
			      .bare = true };
	f[1] = (struct file){ .size = HOSTILE_BACKED_SIZE,
			      .gpa = HOSTILE_BACKED };
	if (!h.in_place && !h.by_gpa)
		opts.flags = GMEM_CREATE_MMAP | GMEM_CREATE_GUEST_ONLY;
	live_ok(l, gmem_create(l->vm, f[0].size, &opts, &f[0].g, &l->err));
	if (!h.by_gpa)
		opts.flags = LIVE_SHARED;
	live_ok(l, gmem_create(l->vm, f[1].size, &opts, &f[1].g, &l->err));
	if (!h.by_gpa)
		return;
	f[1].memory = live_memory(l, f[1].size + 2 * GUARD, 0) + GUARD;
	canary_fill(f[1].memory - GUARD, GUARD);
	canary_fill(f[1].memory + f[1].size, GUARD);
}

static void make_vm(struct live *l)
{
	struct sigaction act = { .sa_handler = on_tick };
	size_t ram = VCPUS * HOSTILE_RAM_PART;
	int vm;

	hostile_vm(l);
	vm = gmem_vm_fd(l->vm);
	h.l = l;
	h.in_place = gmem_vm_has(l->vm, GMEM_FEATURE_FILE_ATTRIBUTES);
	h.by_gpa = gmem_vm_has(l->vm, GMEM_FEATURE_VM_ATTRIBUTES);
	h.ram = live_memory(l, ram, 0);
	t_code(raw_plain(vm, RAM_SLOT, HOSTILE_RAM, ram, h.ram), 0);
	make_files(l);
	for (unsigned int i = 0; i < VCPUS; i++) {
		struct vcpu_thread *v = &h.vcpus[i];

		*v = (struct vcpu_thread){ .id = i };
		v->dice.state = h.seed * 16 + i;
		assert_true(flat_make(&v->vcpu, vm, i));
	}
	for (unsigned int i = 0; i < WORKERS; i++)
		h.workers[i].dice.state = h.seed * 16 + VCPUS + i;
	l->vcpu = h.vcpus[0].vcpu.fd;
	l->run = (unsigned char *)h.vcpus[0].vcpu.run;
	l->run_size = h.vcpus[0].vcpu.size;
	sigaction(SIGUSR1, &act, NULL);
	canary_low(HOSTILE_BARE_SIZE);
	assert_true(canary_low_pages() > HOSTILE_BARE_SIZE / l->page / 2);
}

/* No test can clean up after a thread that does not end. */
static void join(pthread_t thread, const char *what)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE;
	if (!pthread_timedjoin_np(thread, NULL, &until))
		return;
	print_error("%s does not end\n", what);
	_exit(1);
}

static void run_all(void)
{
	for (unsigned int i = 0; i < VCPUS; i++)
		if (pthread_create(&h.vcpus[i].thread, NULL, run_vcpu,
				   &h.vcpus[i]))
			_exit(1);
	for (unsigned int i = 0; i < WORKERS; i++)
		if (pthread_create(&h.workers[i].thread, NULL, work,
				   &h.workers[i]))
			_exit(1);
	for (unsigned int left = h.seconds; left;)
		left = sleep(left);
	__atomic_store_n(&h.stop, 1, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < VCPUS; i++)
		join(h.vcpus[i].thread, "a vCPU");
	for (unsigned int i = 0; i < WORKERS; i++)
		join(h.workers[i].thread, "a thread that binds and converts");
}

/*
 * Whether the page is shared as the guest sees it, or the host where the guest
 * sees no difference.
 */
static bool is_shared(const struct file *f, const unsigned char *map,
		      uint64_t offset, uint64_t gpa)
{
	uint32_t seen, value = (uint32_t)(offset ^ 0x10101010);
	const struct kvm_run *run = h.vcpus[0].vcpu.run;
	int r;

	if (h.in_place)
		return live_touch(map + offset) == 0;
	r = hostile_store(h.l, &h.vcpus[0].vcpu, h.ram, gpa, value);
	if (f->bare && r == -EFAULT && run->exit_reason == KVM_EXIT_UNKNOWN)
		return true;
	if (r < 0)
		failed("a store at gpa 0x%lx: %d, exit %u", gpa, r,
		       run->exit_reason);
	if (f->bare)
		return false;
	memcpy(&seen, (f->memory ? f->memory : map) + offset, sizeof(seen));
	return seen == value;
}

static void check_slot(const struct gmem_slot *slot)
{
	struct file *f = file_of(slot->gmem);
	struct gmem_error err = { .sz = sizeof(err) };
	const unsigned char *map = NULL;
	uint64_t attributes;

	if (!h.by_gpa) {
		if (f->bare)
			return; /* guest and host see no difference */
		map = raw_map(h.l, gmem_fd(f->g), f->size, PROT_READ);
	} else if (!f->bare) {
		memset(f->memory + slot->offset, 0, slot->len);
	}
	for (uint64_t at = 0; at < slot->len; at += h.l->page) {
		uint64_t offset = slot->offset + at;

		if (gmem_get_attributes(f->g, offset, h.l->page, &attributes,
					NULL, &err) < 0 ||
		    is_shared(f, map, offset, slot->gpa + at) !=
			    (attributes == GMEM_ATTRIBUTE_SHARED))
			failed("the record of offset 0x%lx of the %s file is "
			       "wrong: 0x%lx",
			       offset, f->bare ? "bare" : "backed", attributes);
		happened(CHECKED);
	}
}

/* So that there is always a record to compare with the kernel's state. */
static void bind_one(struct live *l)
{
	const struct file *f = &h.files[1];
	struct gmem_slot opts = { .sz = sizeof(opts) };
	uint64_t piece = f->size / PIECES;

	if (!gmem_slot_get(l->vm, PIECES, 0, &opts, NULL))
		return;
	opts = (struct gmem_slot){ .sz = sizeof(opts) };
	if (f->memory) {
		opts.flags = GMEM_SLOT_USERSPACE_ADDR;
		opts.userspace_addr = (uintptr_t)f->memory;
	}
	live_ok(l, t_bind(f->g, PIECES, f->gpa, 0, piece, &opts, &l->err));
}

static void check_canaries(void)
{
	uint64_t changed = canary_low_changed();
	struct file *f = &h.files[1];

	if (changed != CANARY_WHOLE)
		failed("the VMM's memory has changed at 0x%lx", changed);
	canary_low_mend();
	if (f->memory &&
	    canary_changed(f->memory - GUARD, GUARD) != CANARY_WHOLE)
		failed("memory below the guest's shared memory has changed");
	if (f->memory &&
	    canary_changed(f->memory + f->size, GUARD) != CANARY_WHOLE)
		failed("memory above the guest's shared memory has changed");
	for (unsigned int i = 0; i < WORKERS; i++)
		for (unsigned int k = 0; k < FRESH; k++) {
			struct worker *w = &h.workers[i];

			if (!w->fresh[k].at)
				continue;
			put_fresh(w, h.l->page);
			if (!canary_untouched(w->fresh[k].at, w->fresh[k].len))
				failed("new memory of the VMM's was touched");
		}
}

/* An event that never happened was not tested. */
static void check_counts(void)
{
	const uint32_t *deeds[VCPUS];

	for (unsigned int i = 0; i < VCPUS; i++)
		deeds[i] =
			(const uint32_t *)(const void *)(h.ram +
							 i * HOSTILE_RAM_PART +
							 HOSTILE_COUNTS);
	for (unsigned int d = 0; hostile_deed(d); d++) {
		unsigned long n = 0;

		for (unsigned int i = 0; i < VCPUS; i++)
			n += deeds[i][d];
		print_message("guest: %lu %s\n", n, hostile_deed(d));
		if (!n)
			failed("no %s", hostile_deed(d));
	}
	for (enum event e = 0; e < EVENTS; e++) {
		if (!hostile_happens(e))
			continue;
		print_message("VMM: %lu %s\n", h.count[e], event_names[e]);
		if (!h.count[e] && !(h.in_place && e == EXIT_BARE_FAULT))
			failed("no %s", event_names[e]);
	}
}

static void take_down(struct live *l)
{
	struct gmem_error err = { .sz = sizeof(err) };

	flat_close(&h.vcpus[1].vcpu);
	for (unsigned int i = 0; i < WORKERS; i++)
		for (unsigned int k = 0; k < FRESH; k++)
			if (h.workers[i].fresh[k].at)
				munmap(h.workers[i].fresh[k].at,
				       h.workers[i].fresh[k].len);
	for (uint32_t id = 0; id < 2 * PIECES; id++) {
		struct gmem_slot slot = { .sz = sizeof(slot) };

		if (!gmem_slot_get(l->vm, id, 0, &slot, NULL))
			live_ok(l, gmem_unbind(l->vm, id, 0, 0, &l->err));
	}
	for (unsigned int i = 0; i < 2; i++)
		t_ok(gmem_close(h.files[i].g, &err), err);
}

static void a_hostile_guest_reaches_only_what_is_its_own(void **state)
{
	struct live *l = *state;
	struct gmem_slot slot = { .sz = sizeof(slot) };

	make_vm(l);
	print_message("%u seconds, seed %lu\n", h.seconds, h.seed);
	run_all();
	check_canaries();
	bind_one(l);
	for (uint32_t id = 0; id < 2 * PIECES; id++)
		if (!gmem_slot_get(l->vm, id, 0, &slot, NULL))
			check_slot(&slot);
	check_canaries();
	check_counts();
	take_down(l);
	for (unsigned int i = 0; i < h.failures && i < MESSAGES; i++)
		print_error("%s\n", h.messages[i]);
	assert_int_equal(h.failures, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest hostile[] = {
		live_test(a_hostile_guest_reaches_only_what_is_its_own),
	};
	const char *seconds = getenv("GMEM_HOSTILE_SECONDS");

	if (argc > 1)
		seconds = argv[1];
	h.seconds = seconds ? (unsigned int)strtoul(seconds, NULL, 10) : 0;
	if (!h.seconds)
		h.seconds = SECONDS;
	h.seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL);
	return t_main(hostile);
}
