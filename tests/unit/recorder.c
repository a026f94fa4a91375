// SPDX-License-Identifier: MIT
/* The recorder between the library and the model. */
#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

static bool matches(const char *name, unsigned long request,
		    const struct unit_call *c)
{
	/* These two cannot fail in a way that a caller could act upon. */
	if (!name)
		return strcmp(c->name, "munmap") != 0 &&
		       strcmp(c->name, "clock_nanosleep") != 0;
	return !strcmp(name, c->name) && (!request || request == c->request);
}

static void lock(struct unit *u)
{
	assert_int_equal(pthread_mutex_lock(&u->lock), 0);
}

static void unlock(struct unit *u)
{
	assert_int_equal(pthread_mutex_unlock(&u->lock), 0);
}

/* Whether the words of @list, parted by single spaces, have @word. */
static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)) != NULL; p += n)
		if ((p == list || p[-1] == ' ') && (!p[n] || p[n] == ' '))
			return true;
	return false;
}

/* Whether the call has an answer, *@r, that is not the model's. */
static bool answered(struct unit *u, const struct unit_call *c, int64_t *r)
{
	bool found = u->lacks && has_word(u->lacks, c->name);

	if (found)
		*r = -ENOSYS;
	for (size_t i = 0; i < UNIT_ANSWERS; i++) {
		struct unit_answer *a = &u->answers[i];

		if (!a->times || !matches(a->name, a->request, c))
			continue;
		a->seen++;
		if (a->seen < a->nth || a->seen - a->nth >= a->times)
			continue;
		*r = a->code;
		found = true;
	}
	return found;
}

/* Notes @c; whether it is answered already, with (*@noted)->result. */
static bool enter(struct unit *u, const struct unit_call *c, void *arg,
		  struct unit_call **noted)
{
	bool found;

	if (u->hook)
		u->hook(u, c, arg);
	lock(u);
	/* too many are counted, and unit_nth() says that they are */
	*noted = &u->calls[u->n_calls < UNIT_CALLS ? u->n_calls : UNIT_CALLS];
	u->n_calls++;
	**noted = *c;
	(*noted)->thread = pthread_self();
	found = answered(u, c, &(*noted)->result);
	unlock(u);
	return found;
}

/* A call that needs no more than that; @model makes it. */
#define RECORD(u, arg, model, ...)                             \
	do {                                                   \
		const struct unit_call call = { __VA_ARGS__ }; \
		struct unit_call *c;                           \
                                                               \
		if (!enter(u, &call, arg, &c))                 \
			c->result = (model);                   \
		return (int)c->result;                         \
	} while (0)

static uint64_t rec_page_size(void *priv)
{
	return model__sys.page_size(((struct unit *)priv)->k);
}

static int rec_is_arm64(void *priv)
{
	return model__sys.is_arm64(((struct unit *)priv)->k);
}

static unsigned int rec_phys_bits(void *priv)
{
	return model__sys.phys_bits(((struct unit *)priv)->k);
}

static uint32_t rec_euid(void *priv)
{
	struct unit *u = priv;

	return model__sys.euid(u->k) + u->euid;
}

/* A file that the test made up, with its text; or the model's. */
static int open_file(struct unit *u, const char *path, int flags)
{
	const struct unit_told *f = u->told;
	int fd;

	while (f && f->path && strcmp(f->path, path))
		f++;
	if (!f || !f->path)
		return model__sys.open(u->k, path, flags);
	fd = memfd_create("made up", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, f->text, strlen(f->text), 0),
			 strlen(f->text));
	return fd;
}

static int rec_open(void *priv, const char *path, int flags)
{
	struct unit *u = priv;

	RECORD(u, (void *)(uintptr_t)path, open_file(u, path, flags),
	       .name = "openat", .fd = -1, .arg[2] = (uint64_t)flags);
}

/* Linux frees the descriptor whatever close(2) says. */
static int rec_close(void *priv, int fd)
{
	struct unit *u = priv;
	int r = model__sys.close(u->k, fd);

	RECORD(u, NULL, r, .name = "close", .fd = fd);
}

static int rec_set_cloexec(void *priv, int fd)
{
	struct unit *u = priv;

	RECORD(u, NULL, model__sys.set_cloexec(u->k, fd), .name = "fcntl",
	       .fd = fd);
}

static int check_extension(struct unit *u, int fd, void *arg)
{
	const struct object *o = model__object(u->k, fd);

	for (unsigned int i = 0; o && i < u->n_caps; i++)
		if (u->caps[i].of == o->type &&
		    u->caps[i].cap == (int)(uintptr_t)arg)
			return u->caps[i].value;
	return model__sys.ioctl(u->k, fd, GMEM__KVM_CHECK_EXTENSION, arg);
}

static int rec_ioctl(void *priv, int fd, unsigned long request, void *arg)
{
	struct unit *u = priv;
	struct unit_call call = { .name = "ioctl",
				  .fd = fd,
				  .request = request };
	struct unit_call *c;
	size_t len = request >> 16 & 0x3fff;

	if (len)
		memcpy(&call.in, arg, len);
	else
		call.in.value = (uintptr_t)arg;
	if (!enter(u, &call, arg, &c))
		c->result = request == GMEM__KVM_CHECK_EXTENSION
				    ? check_extension(u, fd, arg)
				    : model__sys.ioctl(u->k, fd, request, arg);
	return (int)c->result;
}

static int rec_fstat(void *priv, int fd, struct gmem__stat *out)
{
	struct unit *u = priv;

	if (u->stat)
		*out = *u->stat;
	RECORD(u, NULL, u->stat ? 0 : model__sys.fstat(u->k, fd, out),
	       .name = "fstat", .fd = fd);
}

static int rec_fstatfs(void *priv, int fd, uint64_t *magic)
{
	struct unit *u = priv;

	if (u->magic)
		*magic = u->magic;
	RECORD(u, NULL, u->magic ? 0 : model__sys.fstatfs(u->k, fd, magic),
	       .name = "fstatfs", .fd = fd);
}

static struct unit_map *map_at(struct unit *u, const void *addr)
{
	for (size_t i = 0; i < UNIT_MAPS; i++)
		if (u->maps[i].addr == addr)
			return &u->maps[i];
	return NULL;
}

static void keep(struct unit *u, const struct unit_map *map)
{
	struct unit_map *m;

	lock(u);
	m = map_at(u, NULL);
	assert_non_null(m);
	*m = *map;
	unlock(u);
}

/* What was at a fixed address is gone; a reservation there is the test's. */
static void replace(struct unit *u, const void *addr, uint64_t len)
{
	struct unit_map *m;

	lock(u);
	m = map_at(u, addr);
	if (m && m->len != len) {
		print_error("mmap() over a part of a mapping\n");
		abort();
	}
	if (m)
		m->addr = NULL;
	unlock(u);
}

static int rec_mmap(void *priv, void **addr, size_t len, int prot, int flags,
		    int fd, uint64_t offset)
{
	const struct unit_call call = { .name = "mmap",
					.fd = fd,
					.arg = { 0, len, (uint64_t)flags,
						 offset } };
	bool named = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
	struct unit *u = priv;
	struct unit_call *c;

	if (enter(u, &call, NULL, &c))
		return (int)c->result;
	if (u->vcpu && fd == u->vcpu)
		c->result = model__sys.mmap(u->k, addr, len, prot,
					    flags | MAP_ANONYMOUS, -1, 0);
	else
		c->result = model__sys.mmap(u->k, addr, len, prot, flags, fd,
					    offset);
	if (c->result < 0)
		return (int)c->result;
	c->arg[0] = (uintptr_t)*addr;
	if (named)
		replace(u, *addr, len);
	if (named && fd < 0)
		return 0;
	keep(u, &(struct unit_map){ *addr, len, fd, false });
	return 0;
}

/* Only as a whole, as it was mapped. */
static int rec_munmap(void *priv, void *addr, size_t len)
{
	const struct unit_call call = { .name = "munmap",
					.fd = -1,
					.arg = { (uintptr_t)addr, len } };
	struct unit *u = priv;
	struct unit_map *m, was;
	struct unit_call *c;
	bool answer = enter(u, &call, NULL, &c);

	lock(u);
	m = map_at(u, addr);
	if (!addr || !m || m->len != len) {
		print_error("munmap() of what was not mapped so\n");
		abort();
	}
	was = *m;
	if (!answer)
		m->addr = NULL;
	unlock(u);
	if (answer)
		return (int)c->result;
	c->result = model__sys.munmap(u->k, addr, len);
	if (c->result < 0)
		keep(u, &was);
	return (int)c->result;
}

static int rec_addressable(void *priv, uint64_t addr, uint64_t len)
{
	return model__sys.addressable(((struct unit *)priv)->k, addr, len);
}

static int rec_madvise(void *priv, void *addr, size_t len, int advice)
{
	const struct unit_call call = { .name = "madvise",
					.fd = -1,
					.arg = { (uintptr_t)addr, len,
						 (uint64_t)advice } };
	struct unit *u = priv;
	struct unit_map *m;
	struct unit_call *c;

	if (!enter(u, &call, NULL, &c))
		c->result = model__sys.madvise(u->k, addr, len, advice);
	lock(u);
	m = map_at(u, addr);
	if (m && c->result == 0 && advice == MADV_DONTFORK)
		m->dontfork = true;
	unlock(u);
	return (int)c->result;
}

static int rec_map_again(void *priv, void *addr, size_t len, void **out)
{
	const struct unit_call call = { .name = "mremap",
					.fd = -1,
					.arg = { (uintptr_t)addr, len } };
	struct unit *u = priv;
	struct unit_call *c;

	if (!enter(u, &call, NULL, &c))
		c->result = model__sys.map_again(u->k, addr, len, out);
	if (c->result == 0)
		keep(u, &(struct unit_map){ *out, len, -1, false });
	return (int)c->result;
}

static int rec_mbind(void *priv, void *addr, size_t len, int mode,
		     const unsigned long *nodes, unsigned long maxnode,
		     unsigned int flags)
{
	struct unit *u = priv;

	RECORD(u, NULL,
	       model__sys.mbind(u->k, addr, len, mode, nodes, maxnode, flags),
	       .name = "mbind", .fd = -1,
	       .arg = { (uintptr_t)addr, len, (uint64_t)mode, flags });
}

static int rec_get_mempolicy(void *priv, int *mode, unsigned long *nodes,
			     unsigned long maxnode, void *addr,
			     unsigned long flags)
{
	struct unit *u = priv;

	RECORD(u, NULL,
	       model__sys.get_mempolicy(u->k, mode, nodes, maxnode, addr,
					flags),
	       .name = "get_mempolicy", .fd = -1);
}

static int rec_set_mempolicy(void *priv, int mode, const unsigned long *nodes,
			     unsigned long maxnode)
{
	struct unit *u = priv;

	RECORD(u, NULL, model__sys.set_mempolicy(u->k, mode, nodes, maxnode),
	       .name = "set_mempolicy", .fd = -1,
	       .arg = { 0, maxnode, (uint64_t)mode });
}

static int rec_get_affinity(void *priv, unsigned long *cpus, size_t bytes)
{
	struct unit *u = priv;

	RECORD(u, NULL, model__sys.get_affinity(u->k, cpus, bytes),
	       .name = "sched_getaffinity", .fd = -1, .arg[1] = bytes);
}

/* The first word of it, for machines of up to 64. */
static int rec_set_affinity(void *priv, const unsigned long *cpus, size_t bytes)
{
	struct unit *u = priv;

	RECORD(u, NULL, model__sys.set_affinity(u->k, cpus, bytes),
	       .name = "sched_setaffinity", .fd = -1,
	       .arg = { 0, bytes, cpus[0] });
}

static int rec_move_pages(void *priv, size_t n, void **pages, const int *to,
			  int *node)
{
	struct unit *u = priv;

	RECORD(u, NULL, model__sys.move_pages(u->k, n, pages, to, node),
	       .name = "move_pages", .fd = -1, .arg = { 0, n, to ? 1 : 0 });
}

static int rec_set_home_node(void *priv, void *addr, size_t len,
			     unsigned long node)
{
	struct unit *u = priv;

	RECORD(u, NULL, model__sys.set_home_node(u->k, addr, len, node),
	       .name = "set_mempolicy_home_node", .fd = -1,
	       .arg = { (uintptr_t)addr, len, node });
}

static int rec_mincore(void *priv, void *addr, size_t len, unsigned char *vec)
{
	struct unit *u = priv;

	RECORD(u, NULL, model__sys.mincore(u->k, addr, len, vec),
	       .name = "mincore", .fd = -1, .arg = { (uintptr_t)addr, len });
}

static int rec_fallocate(void *priv, int fd, int mode, uint64_t offset,
			 uint64_t len)
{
	struct unit *u = priv;

	RECORD(u, NULL, model__sys.fallocate(u->k, fd, mode, offset, len),
	       .name = "fallocate", .fd = fd,
	       .arg = { 0, len, (uint64_t)mode, offset });
}

static int rec_pipe(void *priv, int fd[2])
{
	struct unit *u = priv;

	RECORD(u, NULL, model__sys.pipe(u->k, fd), .name = "pipe2", .fd = -1);
}

/* Calls that take time: they may not wait for each other. */
static int64_t rec_write(void *priv, int fd, const void *from, size_t len)
{
	struct unit *u = priv;

	RECORD(u, NULL, model__sys.write(u->k, fd, from, len), .name = "write",
	       .fd = fd);
}

static int64_t rec_read(void *priv, int fd, void *to, size_t len)
{
	struct unit *u = priv;
	size_t n = u->piece && len > u->piece ? u->piece : len;

	RECORD(u, NULL, model__sys.read(u->k, fd, to, n), .name = "read",
	       .fd = fd, .arg[1] = len);
}

static int64_t rec_pwrite(void *priv, int fd, const void *from, size_t len,
			  uint64_t offset)
{
	struct unit *u = priv;
	size_t n = u->piece && len > u->piece ? u->piece : len;

	RECORD(u, NULL, model__sys.pwrite(u->k, fd, from, n, offset),
	       .name = "pwrite64", .fd = fd,
	       .arg = { (uintptr_t)from, len, 0, offset });
}

static int64_t rec_pread(void *priv, int fd, void *to, size_t len,
			 uint64_t offset)
{
	struct unit *u = priv;
	size_t n = u->piece && len > u->piece ? u->piece : len;

	RECORD(u, NULL, model__sys.pread(u->k, fd, to, n, offset),
	       .name = "pread64", .fd = fd,
	       .arg = { (uintptr_t)to, len, 0, offset });
}

static int64_t rec_send(void *priv, int fd, const void *from, size_t len)
{
	struct unit *u = priv;

	RECORD(u, NULL, model__sys.send(u->k, fd, from, len), .name = "sendto",
	       .fd = fd, .arg = { (uintptr_t)from, len });
}

/* An offset does not fit into what others return. */
static int64_t rec_lseek(void *priv, int fd, uint64_t offset, int whence)
{
	const struct unit_call call = { .name = "lseek",
					.fd = fd,
					.arg = { 0, 0, (uint64_t)whence,
						 offset } };
	struct unit *u = priv;
	struct unit_call *c;

	if (!enter(u, &call, NULL, &c))
		c->result = model__sys.lseek(u->k, fd, offset, whence);
	return c->result;
}

static int rec_status_flags(void *priv, int fd)
{
	struct unit *u = priv;

	RECORD(u, NULL, model__sys.status_flags(u->k, fd), .name = "fcntl",
	       .fd = fd);
}

static int rec_seals(void *priv, int fd)
{
	struct unit *u = priv;

	RECORD(u, NULL, model__sys.seals(u->k, fd), .name = "fcntl", .fd = fd,
	       .arg[2] = F_GET_SEALS);
}

static int rec_cachestat(void *priv, int fd, uint64_t offset, uint64_t len,
			 uint64_t *resident)
{
	struct unit *u = priv;

	RECORD(u, NULL, model__sys.cachestat(u->k, fd, offset, len, resident),
	       .name = "cachestat", .fd = fd, .arg = { 0, len, 0, offset });
}

static int64_t rec_vm_read(void *priv, void *to, const void *from, size_t len)
{
	struct unit *u = priv;

	RECORD(u, NULL, model__sys.vm_read(u->k, to, from, len),
	       .name = "process_vm_readv", .fd = -1,
	       .arg = { (uintptr_t)from, len });
}

static int64_t rec_vm_write(void *priv, void *to, const void *from, size_t len)
{
	struct unit *u = priv;

	RECORD(u, NULL, model__sys.vm_write(u->k, to, from, len),
	       .name = "process_vm_writev", .fd = -1,
	       .arg = { (uintptr_t)to, len });
}

static int start(struct unit *u, pthread_t *t, void *(*fn)(void *), void *arg)
{
	int r = model__sys.thread_start(u->k, t, fn, arg);

	lock(u);
	u->live_threads += r == 0;
	unlock(u);
	return r;
}

static int rec_thread_start(void *priv, pthread_t *t, void *(*fn)(void *),
			    void *arg)
{
	RECORD(priv, NULL, start(priv, t, fn, arg), .name = "clone3", .fd = -1);
}

static void rec_thread_join(void *priv, pthread_t t)
{
	struct unit *u = priv;

	model__sys.thread_join(u->k, t);
	lock(u);
	u->live_threads--;
	unlock(u);
}

static void rec_cond_wait(void *priv, pthread_cond_t *c, pthread_mutex_t *m,
			  uint64_t ns)
{
	model__sys.cond_wait(((struct unit *)priv)->k, c, m, ns);
}

static uint64_t rec_now(void *priv)
{
	struct unit *u = priv;
	uint64_t t;

	lock(u);
	t = ++u->clock;
	unlock(u);
	return t;
}

static void rec_sleep_until(void *priv, uint64_t ns)
{
	const struct unit_call call = { .name = "clock_nanosleep",
					.fd = -1,
					.arg = { ns } };
	struct unit *u = priv;
	struct unit_call *c;

	(void)enter(u, &call, NULL, &c);
	lock(u);
	if (u->clock < ns)
		u->clock = ns;
	unlock(u);
}

static void *rec_alloc(void *priv, size_t len)
{
	struct unit *u = priv;
	void *p;
	bool fail;

	lock(u);
	u->n_allocs++;
	fail = u->fail_alloc && !--u->fail_alloc;
	unlock(u);
	p = fail ? NULL : model__sys.alloc(u->k, len);
	lock(u);
	u->live_allocs += p != NULL;
	unlock(u);
	return p;
}

static void rec_free(void *priv, void *p)
{
	struct unit *u = priv;

	lock(u);
	u->live_allocs -= p != NULL;
	unlock(u);
	/* who still uses it does not find what was there */
	if (p)
		memset(p, 0xa5, malloc_usable_size(p));
	model__sys.free(u->k, p);
}

const struct gmem_sys unit_sys = {
	.page_size = rec_page_size,
	.is_arm64 = rec_is_arm64,
	.phys_bits = rec_phys_bits,
	.euid = rec_euid,
	.open = rec_open,
	.close = rec_close,
	.set_cloexec = rec_set_cloexec,
	.ioctl = rec_ioctl,
	.fstat = rec_fstat,
	.fstatfs = rec_fstatfs,
	.mmap = rec_mmap,
	.munmap = rec_munmap,
	.addressable = rec_addressable,
	.madvise = rec_madvise,
	.map_again = rec_map_again,
	.mbind = rec_mbind,
	.get_mempolicy = rec_get_mempolicy,
	.set_mempolicy = rec_set_mempolicy,
	.get_affinity = rec_get_affinity,
	.set_affinity = rec_set_affinity,
	.move_pages = rec_move_pages,
	.set_home_node = rec_set_home_node,
	.mincore = rec_mincore,
	.fallocate = rec_fallocate,
	.pipe = rec_pipe,
	.write = rec_write,
	.read = rec_read,
	.pwrite = rec_pwrite,
	.pread = rec_pread,
	.send = rec_send,
	.lseek = rec_lseek,
	.status_flags = rec_status_flags,
	.seals = rec_seals,
	.cachestat = rec_cachestat,
	.vm_read = rec_vm_read,
	.vm_write = rec_vm_write,
	.thread_start = rec_thread_start,
	.thread_join = rec_thread_join,
	.cond_wait = rec_cond_wait,
	.now = rec_now,
	.sleep_until = rec_sleep_until,
	.alloc = rec_alloc,
	.free = rec_free,
};

void *__real_gmem__vm_priv(const struct gmem_vm *vm,
			   const struct gmem_sys *sys);
void *__wrap_gmem__vm_priv(const struct gmem_vm *vm,
			   const struct gmem_sys *sys);

/* So that gmem_model_*() knows a VM on the recorder. */
void *__wrap_gmem__vm_priv(const struct gmem_vm *vm, const struct gmem_sys *sys)
{
	struct unit *u = __real_gmem__vm_priv(vm, &unit_sys);

	return u && sys == &model__sys ? u->k : __real_gmem__vm_priv(vm, sys);
}

void unit_reset(struct unit *u)
{
	u->n_calls = 0;
	u->n_allocs = 0;
	u->fail_alloc = 0;
	memset(u->answers, 0, sizeof(u->answers));
}

void unit_answer(struct unit *u, const char *name, unsigned long request,
		 unsigned int nth, unsigned int times, int code)
{
	struct unit_answer *a = u->answers;

	while (a->times)
		assert_true(++a < u->answers + UNIT_ANSWERS);
	*a = (struct unit_answer){ name, request, nth, times, 0, code };
}

void unit_cap(struct unit *u, enum object_type of, int cap, int value)
{
	unsigned int i = 0;

	while (i < u->n_caps && (u->caps[i].of != of || u->caps[i].cap != cap))
		i++;
	assert_true(i < UNIT_CAPS);
	u->caps[i] = (struct unit_cap){ of, cap, value };
	u->n_caps += i == u->n_caps;
}

unsigned int unit_count(const struct unit *u, const char *name,
			unsigned long request)
{
	unsigned int n = 0;

	assert_true(u->n_calls <= UNIT_CALLS);
	for (unsigned int i = 0; i < u->n_calls; i++)
		n += matches(name, request, &u->calls[i]);
	return n;
}

const struct unit_call *unit_nth(const struct unit *u, const char *name,
				 unsigned long request, unsigned int nth)
{
	assert_true(u->n_calls <= UNIT_CALLS);
	for (unsigned int i = 0; i < u->n_calls; i++)
		if (matches(name, request, &u->calls[i]) && !nth--)
			return &u->calls[i];
	return NULL;
}

uint64_t unit_sum(const struct unit *u, const char *name)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < u->n_calls; i++)
		if (matches(name, 0, &u->calls[i]))
			sum += u->calls[i].arg[1];
	return sum;
}

uint64_t unit_longest(const struct unit *u, const char *name)
{
	uint64_t most = 0;

	for (unsigned int i = 0; i < u->n_calls; i++)
		if (matches(name, 0, &u->calls[i]) && u->calls[i].arg[1] > most)
			most = u->calls[i].arg[1];
	return most;
}

unsigned int unit_mappings(const struct unit *u)
{
	unsigned int n = 0;

	for (size_t i = 0; i < UNIT_MAPS; i++)
		n += u->maps[i].addr != NULL;
	return n;
}

void unit_forked(struct unit *u)
{
	for (size_t i = 0; i < UNIT_MAPS; i++)
		if (u->maps[i].dontfork)
			memset(&u->maps[i], 0, sizeof(u->maps[i]));
}

static bool listed(const struct unit_call *c, const char *caller)
{
	struct gmem_syscall s = { .sz = sizeof(s) };

	for (uint32_t i = 0; gmem_syscall_info(i, &s, NULL) == 0; i++)
		if (!strcmp(s.name, c->name) && s.number == c->request &&
		    has_word(s.callers, caller))
			return true;
	return false;
}

void unit_listed(const struct unit *u, const char *caller)
{
	for (unsigned int i = 0; i < u->n_calls && i < UNIT_CALLS; i++)
		if (!listed(&u->calls[i], caller))
			fail_msg("%s makes %s (%#lx), which is not listed",
				 caller, u->calls[i].name, u->calls[i].request);
}
