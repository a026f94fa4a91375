// SPDX-License-Identifier: MIT
/*
 * Options and results with any contents: a call takes its struct from the
 * input, with the size that the input gives.  A refusal has a reason and leaves
 * nothing behind; nothing beyond that size is read or written.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gmem_model.h>

#include "fuzz.h"

#define PAGE 65536ULL /* a multiple of every host's */
#define SIZE (4 * PAGE)

struct world {
	struct gmem_vm *vm;
	struct gmem *g;
	int zero; /* a device to load from and to store to */
};

/* The struct of a call. */
struct input {
	char *at;
	size_t claimed, room; /* .sz, and what there is: no less */
};

/* The input must not choose pointers. */
static void point(const struct input *in, size_t offset, const void *to)
{
	if (offset + sizeof(to) <= in->room)
		memcpy(in->at + offset, &to, sizeof(to));
}

static int try_create(struct world *w, const struct input *in,
		      struct gmem_error *err)
{
	struct gmem *made = NULL;
	int r = gmem_create(w->vm, SIZE, (void *)in->at, &made, err);

	HOLDS(r == 0 || !made);
	HOLDS(gmem_close(made, NULL) == 0);
	return r;
}

static int try_adopt(struct world *w, const struct input *in,
		     struct gmem_error *err)
{
	struct gmem *made = NULL;
	int fd = fcntl(gmem_fd(w->g), F_DUPFD_CLOEXEC, 0);
	int r = gmem_adopt(w->vm, fd, (void *)in->at, &made, err);

	HOLDS(r == 0 || !made);
	HOLDS(made ? gmem_close(made, NULL) == 0 : close(fd) == 0);
	return r;
}

static void bind_page(struct world *w)
{
	struct gmem_slot s = { .sz = sizeof(s), .len = PAGE, .gmem = w->g };

	HOLDS(gmem_bind(&s, NULL) == 0);
}

static int try_bind(struct world *w, const struct input *in,
		    struct gmem_error *err)
{
	struct gmem_slot *s = malloc(in->room);
	uint64_t flags;
	int r;

	HOLDS(s);
	point(in, offsetof(struct gmem_slot, gmem), w->g);
	memcpy(s, in->at, in->room);
	flags = in->room < sizeof(*s) ? 0 : s->flags;
	r = gmem_bind(s, err);
	if (r < 0)
		HOLDS(!memcmp(s, in->at, in->room));
	else if (!(flags & GMEM_SLOT_CHECK_ONLY))
		HOLDS(gmem_unbind(w->vm, s->slot, s->address_space, 0, NULL) ==
		      0);
	free(s);
	return r;
}

static int try_slot_at(struct world *w, const struct input *in,
		       struct gmem_error *err)
{
	int r;

	bind_page(w);
	r = gmem_slot_at(w->vm, 0, 0, (void *)in->at, err);
	HOLDS(gmem_unbind(w->vm, 0, 0, 0, NULL) == 0);
	return r;
}

/* An address where something could be mapped is one of a reservation. */
static void point_to_room(const struct input *in)
{
	static void *room;
	struct gmem_mmap_opts o = { 0 };

	if (!room)
		room = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	HOLDS(room != MAP_FAILED);
	memcpy(&o, in->at, in->room < sizeof(o) ? in->room : sizeof(o));
	if (o.flags & GMEM_MMAP_FIXED && (uintptr_t)o.addr % PAGE == 0 &&
	    (uintptr_t)o.addr >= PAGE)
		point(in, offsetof(struct gmem_mmap_opts, addr), room);
}

static int try_mmap(struct world *w, const struct input *in,
		    struct gmem_error *err)
{
	void *p = NULL;
	int r;

	point_to_room(in);
	r = gmem_mmap(w->g, 0, PAGE, (void *)in->at, &p, err);
	HOLDS((r == 0) == (p != NULL));
	HOLDS(!p || gmem_munmap(w->g, p, NULL) == 0);
	return r;
}

static int try_set_attributes(struct world *w, const struct input *in,
			      struct gmem_error *err)
{
	static const int cancel;

	point(in, offsetof(struct gmem_attributes_opts, cancel), &cancel);
	return gmem_set_attributes(w->g, 0, PAGE, GMEM_ATTRIBUTE_SHARED,
				   (void *)in->at, err);
}

static int try_populate(struct world *w, const struct input *in,
			struct gmem_error *err)
{
	static const int cancel = 1;
	struct gmem_populate_opts *o = (void *)in->at;

	point(in, offsetof(struct gmem_populate_opts, policy), NULL);
	point(in, offsetof(struct gmem_populate_opts, progress), NULL);
	point(in, offsetof(struct gmem_populate_opts, unchecked), NULL);
	point(in, offsetof(struct gmem_populate_opts, cancel),
	      in->claimed % 2 ? &cancel : NULL);
	return gmem_populate(w->g, 0, PAGE, o, err);
}

static int try_load(struct world *w, const struct input *in,
		    struct gmem_error *err)
{
	point(in, offsetof(struct gmem_load_opts, progress), NULL);
	point(in, offsetof(struct gmem_load_opts, unchecked), NULL);
	point(in, offsetof(struct gmem_load_opts, cancel), NULL);
	return gmem_load(w->g, 0, w->zero, PAGE, (void *)in->at, err);
}

static int try_store(struct world *w, const struct input *in,
		     struct gmem_error *err)
{
	point(in, offsetof(struct gmem_store_opts, progress), NULL);
	point(in, offsetof(struct gmem_store_opts, cancel), NULL);
	return gmem_store(w->g, 0, w->zero, PAGE, (void *)in->at, err);
}

static int try_mempolicy(struct world *w, const struct input *in,
			 struct gmem_error *err)
{
	static unsigned long nodes[1024 / (8 * sizeof(unsigned long))] = { 1 };
	struct gmem_mempolicy *p = (void *)in->at;

	point(in, offsetof(struct gmem_mempolicy, nodes), nodes);
	if (in->room >= sizeof(*p) && p->max_node > 1024)
		p->max_node %= 1024;
	return gmem_set_mempolicy(w->g, 0, PAGE, p, 0, err);
}

static int try_note(struct world *w, const struct input *in,
		    struct gmem_error *err)
{
	struct gmem_slot s = { .sz = 0 };
	int r;

	point(in, offsetof(struct gmem_slot, gmem), NULL);
	r = gmem_slot_note(w->vm, (void *)in->at, err);
	memcpy(&s, in->at, in->room < sizeof(s) ? in->room : sizeof(s));
	HOLDS(r < 0 ||
	      gmem_slot_forget(w->vm, s.slot, s.address_space, NULL) == 0);
	return r;
}

static int try_model(struct world *w, const struct input *in,
		     struct gmem_error *err)
{
	struct gmem_vm *made = NULL;
	int r;

	point(in, offsetof(struct gmem_model_opts, vm), NULL);
	point(in, offsetof(struct gmem_model_opts, beside),
	      in->claimed % 2 ? w->vm : NULL);
	r = gmem_model_vm_open("7.3", (void *)in->at, &made, err);
	HOLDS((r == 0) == (made != NULL));
	HOLDS(gmem_vm_close(made, NULL) == 0);
	return r;
}

static int try_features(struct world *w, const struct input *in,
			struct gmem_error *err)
{
	return gmem_vm_feature(w->vm, 1, (void *)in->at, err);
}

static int try_syscall(struct world *w, const struct input *in,
		       struct gmem_error *err)
{
	(void)w;
	return gmem_syscall_info(1, (void *)in->at, err);
}

static int try_resident(struct world *w, const struct input *in,
			struct gmem_error *err)
{
	return gmem_resident(w->g, 0, SIZE, (void *)in->at, err);
}

static int try_slot_get(struct world *w, const struct input *in,
			struct gmem_error *err)
{
	int r;

	bind_page(w);
	r = gmem_slot_get(w->vm, 0, 0, (void *)in->at, err);
	HOLDS(gmem_unbind(w->vm, 0, 0, 0, NULL) == 0);
	return r;
}

static const struct {
	int (*call)(struct world *w, const struct input *in,
		    struct gmem_error *err);
	size_t known; /* bytes of the struct */
	bool result;
} calls[] = {
	{ try_create, sizeof(struct gmem_create_opts), false },
	{ try_bind, sizeof(struct gmem_slot), false },
	{ try_slot_at, sizeof(struct gmem_slot), true },
	{ try_mmap, sizeof(struct gmem_mmap_opts), false },
	{ try_features, sizeof(struct gmem_feature_info), true },
	{ try_syscall, sizeof(struct gmem_syscall), true },
	{ try_adopt, sizeof(struct gmem_adopt_opts), false },
	{ try_slot_get, sizeof(struct gmem_slot), true },
	{ try_set_attributes, sizeof(struct gmem_attributes_opts), false },
	{ try_populate, sizeof(struct gmem_populate_opts), false },
	{ try_load, sizeof(struct gmem_load_opts), false },
	{ try_mempolicy, sizeof(struct gmem_mempolicy), false },
	{ try_note, sizeof(struct gmem_slot), false },
	{ try_model, sizeof(struct gmem_model_opts), false },
	{ try_resident, sizeof(struct gmem_residency), true },
	{ try_store, sizeof(struct gmem_store_opts), false },
};

#define CLAIM_MAX 4096 /* beyond it .sz was never set */

/* Whether it asks for something that this version does not know. */
static bool newer(const struct input *in, size_t known)
{
	for (size_t i = known; i < in->claimed; i++)
		if (in->at[i])
			return true;
	return false;
}

static void one_call(struct world *w, unsigned int which, struct input *in)
{
	struct gmem_error err = { .sz = sizeof(err) };
	size_t known = calls[which].known;
	char *before = malloc(in->room);
	int r;

	HOLDS(before);
	memcpy(before, in->at, in->room);
	r = calls[which].call(w, in, &err);
	HOLDS(err.code == (r < 0 ? r : 0));
	HOLDS((r < 0) == (err.reason != GMEM_REASON_NONE));
	HOLDS((r < 0) == (err.msg[0] != '\0'));
	if (in->claimed < sizeof(size_t) || in->claimed > CLAIM_MAX)
		HOLDS(r == -EINVAL && err.reason == GMEM_REASON_OPTS_SIZE);
	else if (!calls[which].result && newer(in, known))
		HOLDS(r == -E2BIG && err.reason == GMEM_REASON_OPTS_NEWER);
	if (calls[which].result && r < 0)
		HOLDS(!memcmp(before, in->at, in->room));
	HOLDS(!memcmp(before + in->claimed, in->at + in->claimed,
		      in->room - in->claimed) ||
	      !calls[which].result);
	/* Nothing is left behind: the same call gives the same again. */
	memcpy(before, in->at, in->room);
	HOLDS(calls[which].call(w, in, &err) == r);
	HOLDS(!memcmp(before, in->at, in->room));
	free(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gmem_create_opts o = { .sz = sizeof(o),
				      .flags = GMEM_CREATE_MMAP |
					       GMEM_CREATE_INIT_SHARED };
	struct world w;
	struct input in;

	if (size < 3)
		return 0;
	in.claimed = data[1] | (size_t)data[2] << 8;
	in.room = size - 3 + sizeof(size_t);
	if (in.room < in.claimed)
		in.room = in.claimed;
	in.at = calloc(1, in.room);
	HOLDS(in.at);
	memcpy(in.at + sizeof(size_t), data + 3, size - 3);
	memcpy(in.at, &in.claimed, sizeof(in.claimed));

	w.zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
	HOLDS(w.zero >= 0);
	HOLDS(gmem_model_vm_open(data[0] & 0x80 ? "inplace" : "7.3", NULL,
				 &w.vm, NULL) == 0);
	HOLDS(gmem_create(w.vm, SIZE, &o, &w.g, NULL) == 0);
	one_call(&w, (data[0] & 0x7f) % (sizeof(calls) / sizeof(calls[0])),
		 &in);
	HOLDS(gmem_close(w.g, NULL) == 0);
	HOLDS(gmem_vm_close(w.vm, NULL) == 0);
	HOLDS(close(w.zero) == 0);
	free(in.at);
	return 0;
}
