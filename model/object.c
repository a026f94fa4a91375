// SPDX-License-Identifier: MIT
/*
 * What the descriptors of a model kernel stand for.
 *
 * An object is known by the inode of its memfd, so that a duplicated
 * descriptor is the same object.  What goes past the library unseen, dup(2),
 * close(2), fork(2), is asked of the host: the open file description of the
 * caller holds a lock, which is released with the last of its descriptors and
 * mappings, and the model looks at it through a second description.  A host
 * without /proc gives no second one: then the descriptors count that the model
 * has seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model.h"

static int seal(int fd, uint64_t size)
{
	struct rlimit limit;

	/* The kernel would send SIGXFSZ; a guest_memfd knows no such limit. */
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && size > limit.rlim_cur)
		return -EFBIG;
	if (ftruncate(fd, (off_t)size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) <
		    0)
		return -errno;
	return 0;
}

int model__memfd(uint64_t size, bool cloexec)
{
	int fd = memfd_create("gmem-model",
			      MFD_ALLOW_SEALING | (cloexec ? MFD_CLOEXEC : 0));
	int r;

	if (fd < 0)
		return -errno;
	r = seal(fd, size);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	return fd;
}

/* The last byte that a lock can have: nobody else's. */
static struct flock last_byte(short type)
{
	return (struct flock){ .l_type = type,
			       .l_whence = SEEK_SET,
			       .l_start = INT64_MAX,
			       .l_len = 1 };
}

/* Whether a description other than @fd's holds the lock. */
static bool held(int fd)
{
	struct flock l = last_byte(F_WRLCK);

	return fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

/* A second description of @fd, which now holds the lock; or one more fd. */
static int twin_of(int fd)
{
	struct flock l = last_byte(F_RDLCK);
	char path[64];
	int twin;

	(void)snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fd);
	twin = open(path, O_RDWR | O_CLOEXEC);
	if (twin >= 0 && fcntl(fd, F_OFD_SETLK, &l) == 0)
		return twin;
	if (twin >= 0)
		(void)close(twin);
	twin = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return twin < 0 ? -errno : twin;
}

int model__body(uint64_t size, bool cloexec, int *twin)
{
	int fd = model__memfd(size, cloexec), r;

	if (fd < 0)
		return fd;
	r = twin_of(fd);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	*twin = r;
	return fd;
}

static struct fd_entry *entry_of(const struct kernel *k, int fd)
{
	struct gmem__node *n = NULL;

	if (fd >= 0)
		n = model__tree_meet(&k->fds, NULL, (uint64_t)fd,
				     (uint64_t)fd + 1);
	return n ? CONTAINER(n, struct fd_entry, number) : NULL;
}

static int entry_add(struct kernel *k, struct object *o, int fd)
{
	struct fd_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	model__tree_add(&k->fds, &e->number, (uint64_t)fd, (uint64_t)fd + 1);
	e->object = o;
	e->link = &o->fds;
	e->next = o->fds;
	if (e->next)
		e->next->link = &e->next;
	o->fds = e;
	k->n_fds++;
	k->holds++;
	return 0;
}

static void entry_free(struct kernel *k, struct fd_entry *e)
{
	gmem__tree_remove(&k->fds, &e->number);
	*e->link = e->next;
	if (e->next)
		e->next->link = e->link;
	free(e);
	k->n_fds--;
	k->holds--;
}

static void entry_drop(struct kernel *k, struct fd_entry *e)
{
	struct object *o = e->object;

	entry_free(k, e);
	model__reap(k, o);
}

static bool is(const struct object *o, const struct stat *st)
{
	return o->inode.start == st->st_ino && o->dev == st->st_dev;
}

static bool is_alive(const struct object *o)
{
	const struct fd_entry *e;
	struct stat st;

	if (o->users || held(o->twin))
		return true;
	for (e = o->fds; e; e = e->next)
		if (fstat((int)e->number.start, &st) == 0 && is(o, &st))
			return true;
	return false;
}

static void object_free(struct kernel *k, struct object *o)
{
	struct fd_entry *e, *next;

	for (e = o->fds; e; e = next) {
		next = e->next;
		entry_free(k, e);
	}
	gmem__tree_remove(&k->objects, &o->inode);
	switch (o->type) {
	case OBJECT_FILE:
		model__file_free(k, (struct file *)o);
		break;
	case OBJECT_VM:
		model__vm_free((struct vm *)o);
		break;
	case OBJECT_DEVICE:
		(void)close(o->twin);
		free(o);
		break;
	}
}

void model__reap(struct kernel *k, struct object *o)
{
	if (!is_alive(o))
		object_free(k, o);
}

void model__object_put(struct kernel *k, struct object *o)
{
	o->users--;
	model__reap(k, o);
}

/* The first one whose inode is @ino or above. */
static struct object *from(const struct kernel *k, uint64_t ino)
{
	struct gmem__node *n =
		model__tree_meet(&k->objects, NULL, ino, UINT64_MAX);

	return n ? CONTAINER(n, struct object, inode) : NULL;
}

struct object *model__object_next(const struct kernel *k,
				  const struct object *after)
{
	return from(k, after ? after->inode.end : 0);
}

void model__reap_all(struct kernel *k)
{
	struct object *o;
	uint64_t ino;

	for (ino = 0; (o = from(k, ino)) != NULL;) {
		ino = o->inode.end;
		model__reap(k, o);
	}
}

/* One for each that is made: those that nobody asks for do not pile up. */
static void reap_one(struct kernel *k)
{
	struct object *o = from(k, k->reaped);

	k->reaped = o ? o->inode.end : 0;
	if (o)
		model__reap(k, o);
}

void model__objects_free(struct kernel *k)
{
	struct object *o = NULL;

	while ((o = model__object_next(k, o)) != NULL) {
		if (o->users) /* a VM goes after its files */
			continue;
		object_free(k, o);
		o = NULL;
	}
}

int model__object_add(struct kernel *k, struct object *o, enum object_type type,
		      int fd)
{
	struct fd_entry *stale = entry_of(k, fd);
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (stale)
		entry_drop(k, stale);
	r = entry_add(k, o, fd);
	if (r < 0)
		return r;
	reap_one(k);
	o->type = type;
	o->dev = st.st_dev;
	model__tree_add(&k->objects, &o->inode, st.st_ino, st.st_ino + 1);
	return 0;
}

struct object *model__object(struct kernel *k, int fd)
{
	struct fd_entry *e = entry_of(k, fd);
	struct object *o;
	struct stat st;
	bool open = fstat(fd, &st) == 0;

	if (e && open && is(e->object, &st))
		return e->object;
	if (e)
		entry_drop(k, e);
	o = open ? from(k, st.st_ino) : NULL;
	if (!o || !is(o, &st))
		return NULL;
	(void)entry_add(k, o, fd);
	return o;
}

int model__close(struct kernel *k, int fd)
{
	struct object *o = model__object(k, fd);
	struct fd_entry *e = entry_of(k, fd);
	int r = gmem__sys_linux.close(NULL, fd);

	if (e)
		entry_free(k, e);
	if (o)
		model__reap(k, o);
	return r;
}
