// SPDX-License-Identifier: MIT
/*
 * The model under a scenario, with the recorder on top.  Allocations are
 * counted and made to fail below everything, at the C library, so that the
 * model's own fail as well; the linker leads them here (--wrap).
 */
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fault.h"
#include "model.h"
#include "model_sys.h"

#include "seam.h"

#define FDS 256

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_realloc(void *p, size_t len);
void __real_free(void *p);
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd,
		  off_t offset);
int __real_munmap(void *p, size_t len);
void *__real_mremap(void *p, size_t old, size_t len, int flags, ...);
int __real_model__due(struct kernel *k, const char *call);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_realloc(void *p, size_t len);
void __wrap_free(void *p);
/* What is reserved at a fixed address takes the place of a file's mapping. */
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd,
		  off_t offset);
int __wrap_munmap(void *p, size_t len);
void *__wrap_mremap(void *p, size_t old, size_t len, int flags, ...);
int __wrap_model__due(struct kernel *k, const char *call);

static atomic_uint blocks, mappings;
static atomic_uint left; /* this many more allocations, and one fails */

static void *made(void *p)
{
	blocks += p != NULL;
	return p;
}

static bool fails(void)
{
	unsigned int n = left;

	while (n && !atomic_compare_exchange_weak(&left, &n, n - 1))
		;
	return n == 1;
}

void *__wrap_malloc(size_t len)
{
	return fails() ? NULL : made(__real_malloc(len));
}

void *__wrap_calloc(size_t n, size_t len)
{
	return fails() ? NULL : made(__real_calloc(n, len));
}

void *__wrap_realloc(void *p, size_t len)
{
	if (fails())
		return NULL;
	return p ? __real_realloc(p, len) : made(__real_realloc(p, len));
}

void __wrap_free(void *p)
{
	blocks -= p != NULL;
	__real_free(p);
}

void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd,
		  off_t offset)
{
	void *p = __real_mmap(at, len, prot, flags, fd, offset);

	if (p == MAP_FAILED ||
	    (prot == PROT_NONE && fd < 0 && flags & MAP_FIXED_NOREPLACE))
		return p;
	if (prot == PROT_NONE && fd < 0 && flags & MAP_FIXED)
		mappings--;
	else
		mappings++;
	return p;
}

int __wrap_munmap(void *p, size_t len)
{
	int r = __real_munmap(p, len);

	mappings -= r == 0;
	return r;
}

/* Of shared memory, which stays. */
void *__wrap_mremap(void *p, size_t old, size_t len, int flags, ...)
{
	void *again = __real_mremap(p, old, len, flags);

	mappings += again != MAP_FAILED && old == 0;
	return again;
}

/*
 * An unmapping that fails leaves a caller nothing to do.  Allocations have
 * their own turn.
 */
int __wrap_model__due(struct kernel *k, const char *call)
{
	if (!strcmp(call, "munmap") || !strcmp(call, "alloc"))
		return 0;
	return __real_model__due(k, call);
}

/* Asked for all in one call. */
static unsigned int open_fds(void)
{
	struct pollfd all[FDS];
	unsigned int n = FDS;

	for (int fd = 0; fd < FDS; fd++)
		all[fd] = (struct pollfd){ .fd = fd };
	assert_true(poll(all, FDS, 0) >= 0);
	for (int fd = 0; fd < FDS; fd++)
		n -= (all[fd].revents & POLLNVAL) != 0;
	return n;
}

void kernel_start(struct fault *t)
{
	struct gmem_model_opts o = { .sz = sizeof(o), .nodes = t->k->nodes };
	struct gmem_error err;

	t->heap = blocks;
	t->fds = open_fds();
	t->mappings = mappings;
	t_ok(gmem_model_vm_open(t->k->profile, &o, &t->keeper, &err), err);
	t->mappings = mappings - t->mappings;
	if (t->k->huge)
		t_ok(gmem_model_set_pool(t->keeper, t->k->huge, 64, &err), err);
	unit_attach(&t->u, gmem__vm_priv(t->keeper, &model__sys));
	t->u.lacks = t->k->lacks;
}

/* What the scenario had is gone: there is the keeper, and its allocation. */
bool kernel_stop(struct fault *t)
{
	const struct kernel *k = t->u.k;
	const struct object *o = model__object_next(k, NULL);
	bool left_over = k->maps.root || k->n_fds != 1 || k->holds != 2 || !o ||
			 model__object_next(k, o);
	unsigned int mapped;

	for (size_t i = 0; i < MODEL_POOLS; i++)
		left_over |= k->pools[i].used != 0;
	if (left_over)
		print_error("left in the model: %zu fds, %u holds\n", k->n_fds,
			    k->holds);
	unit_detach(&t->u);
	mapped = mappings - t->mappings;
	if (gmem_vm_destroy(t->keeper, NULL) < 0)
		return false;
	if (blocks == t->heap && mappings == mapped && open_fds() == t->fds)
		return !left_over;
	print_error("left behind: %u allocations, %u mappings, %u fds\n",
		    blocks - t->heap, mappings - mapped, open_fds() - t->fds);
	return false;
}

/* No list of ranges has room to grow: the next change allocates. */
static void tighten(struct kernel *k)
{
	struct object *o = NULL;

	k->vma_policy.room = k->vma_policy.n;
	while ((o = model__object_next(k, o)) != NULL) {
		if (o->type == OBJECT_VM) {
			struct ranges *m = &((struct vm *)o)->attributes;

			m->room = m->n;
		} else if (o->type == OBJECT_FILE) {
			struct inode *i = ((struct file *)o)->inode;

			i->attributes.room = i->attributes.n;
			i->policy.room = i->policy.n;
			i->nodes.room = i->nodes.n;
			i->pins.room = i->pins.n;
		}
	}
}

/* A kernel does not return EAGAIN without limit. */
static unsigned int times(const struct shot *shot)
{
	if (!shot->call)
		return 0;
	return shot->s->patient && shot->code == EAGAIN && shot->times > 1 ? 50
									   : 1;
}

void kernel_arm(struct fault *t, const struct shot *shot)
{
	unsigned int n = times(shot);
	struct gmem_error err;

	unit_reset(&t->u);
	tighten(t->u.k);
	for (unsigned int i = 0; i < n; i++)
		t_ok(shot->times > 1 && n == 1
			     ? gmem_model_fail_from(t->keeper, NULL, shot->call,
						    shot->code, &err)
			     : gmem_model_fail(t->keeper, NULL, shot->call + i,
					       shot->code, &err),
		     err);
	if (shot->second)
		t_ok((shot->on ? gmem_model_fail_from : gmem_model_fail)(
			     t->keeper, NULL, shot->second, shot->code, &err),
		     err);
	left = shot->alloc;
}

bool kernel_met(struct fault *t, const struct shot *shot)
{
	unsigned int due = 0;
	struct gmem_error err;
	bool came;

	for (const struct failure *f = t->u.k->failures; f; f = f->next)
		due += f->left != 0;
	came = shot->alloc    ? left == 0
	       : shot->second ? due == 0
			      : due < times(shot);
	left = 0;
	t_ok(gmem_model_fail(t->keeper, NULL, 0, 0, &err), err);
	return came;
}

void kernel_fail_attributes(struct fault *t, int code)
{
	struct gmem_error err;

	t_ok(gmem_model_fail(t->keeper, "KVM_SET_MEMORY_ATTRIBUTES", 1, code,
			     &err),
	     err);
}

struct count kernel_count(struct fault *t)
{
	struct count c = { .maps = mappings };
	struct gmem__node *n = gmem__tree_first(&t->u.k->maps);

	c.fds = open_fds();
	c.allocs = t->u.k->holds - (unsigned int)t->u.k->n_fds;
	for (; n; n = gmem__tree_next(n))
		c.allocs--;
	return c;
}

static struct file *file_of(struct fault *t)
{
	return (struct file *)model__object(t->u.k, gmem_fd(t->g));
}

/* A policy is 16 bits mode and flags, 32 bits nodes. */
uint64_t kernel_policy_nodes(struct fault *t)
{
	return model__ranges_get(&file_of(t)->inode->policy, 0, NULL) >> 16 &
	       UINT32_MAX;
}

/* ---------------------------------------------------------------- state -- */

struct text {
	char *at, *end;
};

__attribute__((format(printf, 2, 3))) static void say(struct text *x,
						      const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(x->at, (size_t)(x->end - x->at), fmt, ap);
	va_end(ap);
	assert_true(n >= 0 && n < x->end - x->at);
	x->at += n;
}

static void say_ranges(struct text *x, const char *what, const struct ranges *m)
{
	for (size_t i = 0; i < m->n; i++)
		say(x, "  %s %#" PRIx64 "-%#" PRIx64 " %#" PRIx64 "\n", what,
		    m->r[i].start, m->r[i].end, m->r[i].value);
}

static void say_vm(struct text *x, const struct vm *vm)
{
	struct gmem__node *n = gmem__tree_first(&vm->slots);

	say(x, "vm %ju: type %u, dead %d\n", (uintmax_t)vm->o.inode.start,
	    vm->type, vm->dead);
	for (; n; n = gmem__tree_next(n)) {
		const struct slot *s = CONTAINER(n, struct slot, number);

		say(x,
		    "  slot %#" PRIx64 " flags %#x gpa %#" PRIx64 "-%#" PRIx64
		    " at %#" PRIx64 ", file %ju + %#" PRIx64 "\n",
		    n->start, s->flags, s->at.start, s->at.end,
		    s->userspace_addr,
		    s->file ? (uintmax_t)s->file->o.inode.start : 0,
		    s->in.start);
	}
	say_ranges(x, "attributes", &vm->attributes);
}

static void say_file(struct text *x, const struct file *f)
{
	struct inode *i = f->inode;
	uint64_t pages = 0;

	assert_int_equal(model__inode_resident(i, 0, i->size, &pages), 0);
	say(x, "file %ju of vm %ju: %#" PRIx64 " bytes, %ju pages\n",
	    (uintmax_t)f->o.inode.start, (uintmax_t)f->vm->o.inode.start,
	    i->size, (uintmax_t)pages);
	say_ranges(x, "attributes", &i->attributes);
	say_ranges(x, "policy", &i->policy);
	say_ranges(x, "nodes", &i->nodes);
	say_ranges(x, "pins", &i->pins);
	say_ranges(x, "poison", &i->poison);
}

void kernel_state(struct fault *t, char *buf, size_t len)
{
	const struct kernel *k = t->u.k;
	struct text x = { buf, buf + len };
	struct object *o = NULL;

	buf[0] = '\0';
	while ((o = model__object_next(k, o)) != NULL) {
		if (o->type == OBJECT_VM)
			say_vm(&x, (const struct vm *)o);
		else if (o->type == OBJECT_FILE)
			say_file(&x, (const struct file *)o);
		else
			say(&x, "device\n");
	}
	for (size_t i = 0; i < MODEL_POOLS && k->pools[i].page_size; i++)
		say(&x,
		    "pool %#" PRIx64 ": %" PRIu64 "; on node 0 %" PRIu64
		    " of %" PRIu64 "\n",
		    k->pools[i].page_size, k->pools[i].used,
		    k->pools[i].placed[0], k->pools[i].pages[0]);
	say_ranges(&x, "by address", &k->vma_policy);
	say(&x, "task %d, interrupt %d\n",
	    pthread_getspecific(k->task_policy) != NULL, k->interrupt);
}
