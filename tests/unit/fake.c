// SPDX-License-Identifier: MIT
/*
 * The calls of the scripted kernel; its KVM ioctls are in fake_kvm.c, memory
 * and its place in fake_space.c.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t.h"
#include "fake_kvm.h"

#define MAGIC_TMPFS 0x01021994

static bool matches(enum fake_kind kind, unsigned long request,
		    enum fake_kind got, unsigned long got_request)
{
	/* These two cannot fail in a way that a caller could act upon. */
	if (kind == FAKE_ANY)
		return got != FAKE_MUNMAP && got != FAKE_SLEEP;
	return kind == got && (!request || request == got_request);
}

int fake_enter(struct fake *f, enum fake_kind kind, int fd,
	       unsigned long request, struct fake_call **out)
{
	static struct fake_call overflow;
	struct fake_call *c = &overflow;
	int r = 0;

	if (f->n_calls < FAKE_CALLS)
		c = &f->calls[f->n_calls];
	f->n_calls++;
	memset(c, 0, sizeof(*c));
	c->kind = kind;
	c->fd = fd;
	c->request = request;
	c->thread = pthread_self();
	for (size_t i = 0; i < FAKE_FAULTS; i++) {
		struct fake_fault *t = &f->faults[i];

		if (!t->times || !matches(t->kind, t->request, kind, request))
			continue;
		t->seen++;
		if (t->seen >= t->nth && t->seen - t->nth < t->times)
			r = t->code;
	}
	c->result = r;
	*out = c;
	return r;
}

struct fake_fd *fake_file(struct fake *f, int fd)
{
	if (fd < FAKE_FD0 || fd >= FAKE_FD0 + FAKE_FDS ||
	    f->fds[fd - FAKE_FD0].type == FAKE_FD_FREE)
		return NULL;
	return &f->fds[fd - FAKE_FD0];
}

int fake_new_fd(struct fake *f, enum fake_fd_type type)
{
	for (int i = 0; i < FAKE_FDS; i++) {
		if (f->fds[i].type != FAKE_FD_FREE)
			continue;
		f->fds[i] = (struct fake_fd){ .type = type,
					      .real = -1,
					      .ino = ++f->next_ino };
		return FAKE_FD0 + i;
	}
	return -EMFILE;
}

static void drop(struct fake_fd *file)
{
	if (file->real >= 0)
		(void)close(file->real);
	free(file->private);
	free(file->extents);
	memset(file, 0, sizeof(*file));
}

int fake_begin(struct fake *f, enum fake_kind kind, int fd,
	       struct fake_call **c)
{
	int r;

	(void)pthread_mutex_lock(&f->lock);
	r = fake_enter(f, kind, fd, 0, c);
	if (!r && fd >= 0 && !fake_file(f, fd))
		r = -EBADF;
	return r;
}

int fake_end(struct fake *f, struct fake_call *c, int r)
{
	c->result = r;
	(void)pthread_mutex_unlock(&f->lock);
	return r;
}

static uint64_t fake_page_size(void *priv)
{
	return ((struct fake *)priv)->page_size;
}

static int fake_is_arm64(void *priv)
{
	return ((struct fake *)priv)->arm64;
}

static unsigned int fake_phys_bits(void *priv)
{
	return ((struct fake *)priv)->phys_bits;
}

static int fake_open(void *priv, const char *path, int flags)
{
	struct fake *f = priv;
	struct fake_call *c;
	int r = fake_begin(f, FAKE_OPEN, -1, &c);

	c->arg[2] = (uint64_t)flags;
	if (r)
		return fake_end(f, c, r);
	if (!strcmp(path, "/dev/kvm"))
		r = fake_new_fd(f, FAKE_FD_DEVICE);
	else
		r = strcmp(path, "/dev/null") ? -ENOENT
					      : fake_new_fd(f, FAKE_FD_OTHER);
	if (r >= 0)
		fake_file(f, r)->cloexec = true;
	return fake_end(f, c, r);
}

static int fake_close(void *priv, int fd)
{
	struct fake *f = priv;
	struct fake_call *c;
	int r = fake_begin(f, FAKE_CLOSE, fd, &c);
	struct fake_fd *file = fake_file(f, fd);

	if (file)
		drop(file); /* Linux frees it whatever close(2) says */
	return fake_end(f, c, r);
}

static int fake_set_cloexec(void *priv, int fd)
{
	struct fake *f = priv;
	struct fake_call *c;
	int r = fake_begin(f, FAKE_CLOEXEC, fd, &c);

	if (!r && fd >= 0)
		fake_file(f, fd)->cloexec = true;
	return fake_end(f, c, fd < 0 ? -EBADF : r);
}

static int fake_ioctl(void *priv, int fd, unsigned long request, void *arg)
{
	struct fake *f = priv;
	struct fake_call *c;
	size_t len = request >> 16 & 0x3fff;
	int r;

	if (f->hook)
		f->hook(f, fd, request, arg);
	(void)pthread_mutex_lock(&f->lock);
	r = fake_enter(f, FAKE_IOCTL, fd, request, &c);
	if (len)
		memcpy(&c->in, arg, len);
	else
		c->in.value = (uintptr_t)arg;
	if (!r)
		r = fake_kvm(f, fd, request, arg);
	return fake_end(f, c, r);
}

static const uint32_t modes[] = {
	[FAKE_FD_DEVICE] = S_IFCHR | 0660, [FAKE_FD_VM] = 0600,
	[FAKE_FD_GMEM] = S_IFREG | 0600,   [FAKE_FD_OTHER] = S_IFREG | 0644,
	[FAKE_FD_PIPE] = S_IFIFO | 0600,   [FAKE_FD_VCPU] = 0600,
};

static int fake_fstat(void *priv, int fd, struct gmem__stat *out)
{
	struct fake *f = priv;
	struct fake_call *c;
	int r = fake_begin(f, FAKE_FSTAT, fd, &c);
	struct fake_fd *file = fake_file(f, fd);

	if (!file)
		return fake_end(f, c, r ? r : -EBADF);
	if (!r)
		*out = (struct gmem__stat){ .size = file->size,
					    .ino = file->ino,
					    .dev = 1,
					    .mode = modes[file->type],
					    .uid = file->uid };
	return fake_end(f, c, r);
}

static int fake_fstatfs(void *priv, int fd, uint64_t *magic)
{
	struct fake *f = priv;
	struct fake_call *c;
	int r = fake_begin(f, FAKE_FSTATFS, fd, &c);
	struct fake_fd *file = fake_file(f, fd);

	if (!file)
		return fake_end(f, c, r ? r : -EBADF);
	if (!r && file->type == FAKE_FD_GMEM)
		*magic = f->own_inode ? GMEM__MAGIC_GUEST_MEMFD
				      : GMEM__MAGIC_ANON_INODE;
	else if (!r)
		*magic = file->type == FAKE_FD_VM || file->type == FAKE_FD_VCPU
				 ? GMEM__MAGIC_ANON_INODE
				 : MAGIC_TMPFS;
	return fake_end(f, c, r);
}

struct fake_map *fake_map_at(struct fake *f, const void *addr)
{
	const char *p = addr;

	for (size_t i = 0; i < FAKE_MAPS; i++) {
		struct fake_map *m = &f->maps[i];

		if (m->addr && p >= m->addr && p < m->addr + m->len)
			return m;
	}
	return NULL;
}

static int map_allowed(const struct fake_fd *file, int prot, int flags)
{
	if (file && file->type == FAKE_FD_VCPU)
		return 0;
	if (!file || file->type != FAKE_FD_GMEM ||
	    !(file->flags & GMEM__FLAG_MMAP))
		return -ENODEV;
	if (flags & MAP_PRIVATE)
		return -EINVAL;
	return prot & PROT_EXEC ? -EPERM : 0;
}

/* mmap(2) with the fake's page size, which may be more than the host's. */
static void *map_aligned(const struct fake *f, size_t len, int prot, int flags,
			 int fd, uint64_t offset)
{
	uintptr_t unit = f->page_size, at;
	char *p = mmap(NULL, len + unit, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return p;
	at = ((uintptr_t)p + unit - 1) / unit * unit;
	if (at > (uintptr_t)p)
		(void)munmap(p, at - (uintptr_t)p);
	(void)munmap((char *)at + len, (uintptr_t)p + unit - at);
	return mmap((void *)at, len, prot, flags | MAP_FIXED, fd,
		    (off_t)offset);
}

static int fake_mmap(void *priv, void **addr, size_t len, int prot, int flags,
		     int fd, uint64_t offset)
{
	struct fake *f = priv;
	struct fake_call *c;
	struct fake_map *m = f->maps;
	int r = fake_begin(f, FAKE_MMAP, fd, &c);
	void *p;

	c->arg[1] = len;
	c->arg[2] = (uint64_t)flags;
	c->arg[3] = offset;
	if (!r && fd >= 0)
		r = map_allowed(fake_file(f, fd), prot, flags);
	while (m < f->maps + FAKE_MAPS && m->addr)
		m++;
	if (!r && m == f->maps + FAKE_MAPS)
		r = -ENOMEM;
	if (r)
		return fake_end(f, c, r);
	if (fd >= 0 && fake_file(f, fd)->type == FAKE_FD_VCPU)
		flags |= MAP_ANONYMOUS;
	p = map_aligned(f, len, prot, flags,
			fd < 0 ? -1 : fake_file(f, fd)->real, offset);
	if (p == MAP_FAILED)
		return fake_end(f, c, -errno);
	*m = (struct fake_map){
		.addr = p, .len = len, .offset = offset, .fd = fd
	};
	c->arg[0] = (uintptr_t)p;
	*addr = p;
	return fake_end(f, c, 0);
}

static int fake_munmap(void *priv, void *addr, size_t len)
{
	struct fake *f = priv;
	struct fake_call *c;
	int r = fake_begin(f, FAKE_MUNMAP, -1, &c);
	struct fake_map *m = fake_map_at(f, addr);

	c->arg[0] = (uintptr_t)addr;
	c->arg[1] = len;
	if (!m || m->addr != addr || m->len != len) {
		print_error("munmap() of what was not mapped so\n");
		abort();
	}
	if (!r) {
		(void)munmap(addr, len);
		memset(m, 0, sizeof(*m));
	}
	return fake_end(f, c, r);
}

static int fake_madvise(void *priv, void *addr, size_t len, int advice)
{
	struct fake *f = priv;
	struct fake_call *c;
	int r = fake_begin(f, FAKE_MADVISE, -1, &c);

	c->arg[0] = (uintptr_t)addr;
	c->arg[1] = len;
	c->arg[2] = (uint64_t)advice;
	if (!r &&
	    (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE))
		r = fake_populate(f, fake_map_at(f, addr), addr, len,
				  advice == MADV_POPULATE_WRITE);
	else if (!r && madvise(addr, len, advice))
		r = -errno;
	if (!r && advice == MADV_DONTFORK && fake_map_at(f, addr))
		fake_map_at(f, addr)->dontfork = true;
	return fake_end(f, c, r);
}

/* How many of the @len bytes at @addr a system call could touch. */
static size_t reach(struct fake *f, const void *addr, size_t len)
{
	struct fake_map *m = fake_map_at(f, addr);
	uint64_t at, n = 0;

	if (!m || m->fd < 0)
		return len; /* the caller's memory */
	at = m->offset + (uint64_t)((const char *)addr - m->addr);
	if (len > m->offset + m->len - at)
		len = m->offset + m->len - at;
	while (n < len && !fake_file_private(f, m->fd, at + n))
		n += f->page_size - (at + n) % f->page_size;
	return n < len ? n : len;
}

static int fake_pipe(void *priv, int fd[2])
{
	struct fake *f = priv;
	struct fake_call *c;
	int r = fake_begin(f, FAKE_PIPE, -1, &c), real[2];

	if (!r && pipe2(real, O_CLOEXEC | O_NONBLOCK))
		r = -errno;
	for (int i = 0; !r && i < 2; i++) {
		fd[i] = fake_new_fd(f, FAKE_FD_PIPE);
		fake_file(f, fd[i])->real = real[i];
		fake_file(f, fd[i])->cloexec = true;
	}
	return fake_end(f, c, r);
}

static int64_t fake_write(void *priv, int fd, const void *from, size_t len)
{
	struct fake *f = priv;
	struct fake_call *c;
	int64_t r = fake_begin(f, FAKE_WRITE, fd, &c);
	size_t n = reach(f, from, len);

	if (!r)
		r = n ? write(fake_file(f, fd)->real, from, n) : -EFAULT;
	(void)fake_end(f, c, (int)r);
	return r;
}

static int64_t fake_read(void *priv, int fd, void *to, size_t len)
{
	struct fake *f = priv;
	struct fake_call *c;
	int64_t r = fake_begin(f, FAKE_READ, fd, &c);
	size_t n = reach(f, to, len);
	struct fake_fd *file = fake_file(f, fd);

	c->arg[1] = len;
	if (!r && file->piece && n > file->piece)
		n = file->piece;
	if (!r && !n)
		r = -EFAULT;
	else if (!r && (r = read(file->real, to, n)) < 0)
		r = -errno;
	(void)fake_end(f, c, (int)r);
	return r;
}

static int64_t copy(struct fake *f, enum fake_kind kind, void *to,
		    const void *from, size_t len, const void *remote)
{
	struct fake_call *c;
	int64_t r = fake_begin(f, kind, -1, &c);
	size_t n = reach(f, remote, len);

	c->arg[0] = (uintptr_t)remote;
	c->arg[1] = len;
	if (!r && f->no_vm_copy)
		r = -ENOSYS;
	if (!r) {
		memcpy(to, from, n);
		r = n ? (int64_t)n : -EFAULT;
	}
	c->result = r;
	(void)pthread_mutex_unlock(&f->lock);
	return r;
}

static int64_t fake_vm_read(void *priv, void *to, const void *from, size_t len)
{
	return copy(priv, FAKE_VM_READ, to, from, len, from);
}

static int64_t fake_vm_write(void *priv, void *to, const void *from, size_t len)
{
	return copy(priv, FAKE_VM_WRITE, to, from, len, to);
}

static uint32_t fake_euid(void *priv)
{
	return ((struct fake *)priv)->euid;
}

static int fake_addressable(void *priv, uint64_t addr, uint64_t len)
{
	(void)priv;
	return gmem__sys_linux.addressable(NULL, addr, len);
}

static void fake_cond_wait(void *priv, pthread_cond_t *c, pthread_mutex_t *m,
			   uint64_t ns)
{
	(void)priv;
	gmem__sys_linux.cond_wait(NULL, c, m, ns);
}

static uint64_t fake_now(void *priv)
{
	struct fake *f = priv;
	uint64_t t;

	(void)pthread_mutex_lock(&f->lock);
	t = ++f->clock;
	(void)pthread_mutex_unlock(&f->lock);
	return t;
}

static void fake_sleep_until(void *priv, uint64_t ns)
{
	struct fake *f = priv;
	struct fake_call *c;

	(void)fake_begin(f, FAKE_SLEEP, -1, &c);
	c->arg[0] = ns;
	if (f->clock < ns)
		f->clock = ns;
	(void)fake_end(f, c, 0);
}

static void *fake_alloc(void *priv, size_t len)
{
	struct fake *f = priv;
	bool fail;

	(void)pthread_mutex_lock(&f->lock);
	f->n_allocs++;
	fail = f->fail_alloc && !--f->fail_alloc;
	f->live_allocs += !fail;
	(void)pthread_mutex_unlock(&f->lock);
	return fail ? NULL : calloc(1, len);
}

static void fake_free(void *priv, void *p)
{
	struct fake *f = priv;

	(void)pthread_mutex_lock(&f->lock);
	f->live_allocs -= p != NULL;
	(void)pthread_mutex_unlock(&f->lock);
	free(p);
}

const struct gmem_sys fake_sys = {
	.page_size = fake_page_size,
	.is_arm64 = fake_is_arm64,
	.phys_bits = fake_phys_bits,
	.euid = fake_euid,
	.open = fake_open,
	.close = fake_close,
	.set_cloexec = fake_set_cloexec,
	.ioctl = fake_ioctl,
	.fstat = fake_fstat,
	.fstatfs = fake_fstatfs,
	.mmap = fake_mmap,
	.munmap = fake_munmap,
	.addressable = fake_addressable,
	.madvise = fake_madvise,
	.mbind = fake_mbind,
	.get_mempolicy = fake_get_mempolicy,
	.set_mempolicy = fake_set_mempolicy,
	.move_pages = fake_move_pages,
	.mincore = fake_mincore,
	.fallocate = fake_fallocate,
	.pipe = fake_pipe,
	.write = fake_write,
	.read = fake_read,
	.cachestat = fake_cachestat,
	.vm_read = fake_vm_read,
	.vm_write = fake_vm_write,
	.thread_start = fake_thread_start,
	.thread_join = fake_thread_join,
	.cond_wait = fake_cond_wait,
	.now = fake_now,
	.sleep_until = fake_sleep_until,
	.alloc = fake_alloc,
	.free = fake_free,
};

unsigned int fake_mappings(const struct fake *f)
{
	unsigned int n = 0;

	for (size_t i = 0; i < FAKE_MAPS; i++)
		n += f->maps[i].addr != NULL;
	return n;
}

bool fake_balanced(struct fake *f)
{
	unsigned int maps = fake_mappings(f);
	size_t fds = 0;

	for (size_t i = 0; i < FAKE_FDS; i++)
		fds += f->fds[i].type != FAKE_FD_FREE;
	if (!fds && !maps && !f->live_allocs && !f->live_threads)
		return true;
	print_error("left behind: %zu fds, %u mappings, %u allocations, "
		    "%u threads\n",
		    fds, maps, f->live_allocs, f->live_threads);
	return false;
}

void fake_fini(struct fake *f)
{
	for (size_t i = 0; i < FAKE_FDS; i++)
		if (f->fds[i].type != FAKE_FD_FREE)
			drop(&f->fds[i]);
	for (size_t i = 0; i < FAKE_MAPS; i++)
		if (f->maps[i].addr)
			(void)munmap(f->maps[i].addr, f->maps[i].len);
	free(f->gpa_private);
	(void)pthread_mutex_destroy(&f->lock);
}

void fake_forked(struct fake *f)
{
	for (size_t i = 0; i < FAKE_MAPS; i++)
		if (f->maps[i].dontfork)
			memset(&f->maps[i], 0, sizeof(f->maps[i]));
}

void fake_reset(struct fake *f)
{
	f->n_calls = 0;
	f->n_allocs = 0;
	f->fail_alloc = 0;
	memset(f->faults, 0, sizeof(f->faults));
}

void fake_fail(struct fake *f, enum fake_kind kind, unsigned long request,
	       unsigned int nth, unsigned int times, int code)
{
	struct fake_fault *t = f->faults;

	while (t->times)
		assert_true(++t < f->faults + FAKE_FAULTS);
	*t = (struct fake_fault){ kind, request, code, nth, times, 0 };
}

unsigned int fake_count(const struct fake *f, enum fake_kind kind,
			unsigned long request)
{
	unsigned int n = 0;

	while (fake_nth(f, kind, request, n))
		n++;
	return n;
}

const struct fake_call *fake_nth(const struct fake *f, enum fake_kind kind,
				 unsigned long request, unsigned int nth)
{
	for (unsigned int i = 0; i < f->n_calls && i < FAKE_CALLS; i++) {
		const struct fake_call *c = &f->calls[i];

		if (matches(kind, request, c->kind, c->request) && !nth--)
			return c;
	}
	return NULL;
}
