// SPDX-License-Identifier: MIT
/*
 * Copies through a pipe, where process_vm_readv(2) and its sister are missing:
 * whatever the pipe does, the bytes are right and no descriptor stays open.
 */
#include "unit.h"
#include "vm.h"

#define LEN (200 * KiB)

/* The model's calls, with a pipe that a test controls. */
static struct {
	size_t most;	     /* bytes that one read() gives */
	int64_t reads[4];    /* what the first ones give instead; 1 = all */
	int64_t writes[4];   /* the same of write() */
	unsigned int n_read; /* so many were made */
	unsigned int n_write;
	unsigned int pipes;
	int open; /* ends that nobody closed */
	int ends[8];
} does;

static int64_t missing(void *priv, void *to, const void *from, size_t len)
{
	(void)priv;
	(void)to;
	(void)from;
	(void)len;
	return -ENOSYS;
}

static int make_pipe(void *priv, int fd[2])
{
	int r = model__sys.pipe(priv, fd);

	assert_true(does.pipes < T_ARRAY_SIZE(does.ends) / 2);
	does.ends[2 * does.pipes] = fd[0];
	does.ends[2 * does.pipes++ + 1] = fd[1];
	does.open += 2;
	return r;
}

static int close_end(void *priv, int fd)
{
	for (unsigned int i = 0; i < 2 * does.pipes; i++) {
		if (does.ends[i] != fd)
			continue;
		does.ends[i] = -1;
		does.open--;
		break;
	}
	return model__sys.close(priv, fd);
}

static int64_t read_some(void *priv, int fd, void *to, size_t len)
{
	unsigned int n = does.n_read++;

	if (n < T_ARRAY_SIZE(does.reads) && does.reads[n] != 1)
		return does.reads[n];
	return model__sys.read(priv, fd, to, len < does.most ? len : does.most);
}

static int64_t write_some(void *priv, int fd, const void *from, size_t len)
{
	unsigned int n = does.n_write++;

	if (n < T_ARRAY_SIZE(does.writes) && does.writes[n] != 1)
		return does.writes[n];
	return model__sys.write(priv, fd, from, len);
}

struct piped {
	struct unit *m;
	struct gmem_sys sys;
	struct gmem_vm *vm;
	struct gmem *g;
	unsigned char *bytes, *back;
};

static int setup(void **state)
{
	struct piped *p = calloc(1, sizeof(*p));
	struct gmem_vm_opts v = { .sz = sizeof(v) };
	struct gmem_create_opts c = { .sz = sizeof(c), .flags = SHARED_FLAGS };
	struct gmem_error err = { .sz = sizeof(err) };
	void *m = NULL;

	unit_default73(&m);
	p->m = m;
	p->sys = model__sys;
	p->sys.vm_read = missing;
	p->sys.vm_write = missing;
	p->sys.pipe = make_pipe;
	p->sys.close = close_end;
	p->sys.read = read_some;
	p->sys.write = write_some;
	t_ok(gmem__vm_adopt_on(&p->sys, p->m->k, gmem_vm_fd(p->m->vm), &v,
			       &p->vm, &err),
	     err);
	t_ok(gmem_create(p->vm, LEN, &c, &p->g, &err), err);
	p->bytes = malloc(LEN);
	p->back = malloc(LEN);
	for (size_t i = 0; i < LEN; i++)
		p->bytes[i] = (unsigned char)(i * 7 + i / 256);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct piped *p = *state;
	void *m = p->m;
	struct gmem_error err = { .sz = sizeof(err) };
	int r = gmem_close(p->g, &err);

	r = r < 0 ? r : gmem_vm_close(p->vm, &err);
	free(p->bytes);
	free(p->back);
	free(p);
	return r < 0 ? r : unit_end(&m);
}

/* From now on the pipe gives all that it has, @most at a time. */
static void begin(size_t most)
{
	memset(&does, 0, sizeof(does));
	does.most = most;
	for (size_t i = 0; i < T_ARRAY_SIZE(does.reads); i++)
		does.reads[i] = does.writes[i] = 1;
}

static void reads_back(struct piped *p, size_t len, unsigned int pipes)
{
	struct gmem_error err;

	memset(p->back, 0xee, len);
	t_ok(gmem_read(p->g, 0, p->back, len, &err), err);
	assert_memory_equal(p->back, p->bytes, len);
	assert_int_equal(does.pipes, pipes);
	assert_int_equal(does.open, 0);
}

static void one_pipe_does_for_a_copy(void **state)
{
	struct piped *p = *state;
	struct gmem_error err;

	begin(SIZE_MAX);
	t_ok(gmem_write(p->g, 0, p->bytes, LEN, &err), err);
	assert_int_equal(does.pipes, 1);
	assert_int_equal(does.open, 0);
	begin(SIZE_MAX);
	reads_back(p, LEN, 1);
	begin(1000);
	reads_back(p, LEN, 1);
	begin(1);
	reads_back(p, 1, 1);
	begin(1);
	reads_back(p, 10, 1);
}

static void a_signal_is_no_failure(void **state)
{
	struct piped *p = *state;
	struct gmem_error err;

	begin(1000);
	t_ok(gmem_write(p->g, 0, p->bytes, LEN, &err), err);
	begin(1000);
	does.reads[0] = does.reads[2] = -EINTR;
	does.writes[0] = -EINTR;
	reads_back(p, LEN, 1);
}

/* What is left in it would come first the next time. */
static void a_pipe_that_was_not_emptied_is_not_used_again(void **state)
{
	static const int64_t gives[] = { 0, -EIO };
	struct piped *p = *state;
	struct gmem_error err;

	begin(1000);
	t_ok(gmem_write(p->g, 0, p->bytes, LEN, &err), err);
	for (size_t i = 0; i < T_ARRAY_SIZE(gives); i++) {
		begin(1000);
		does.reads[1] = gives[i];
		reads_back(p, LEN, 2);
	}
}

static void a_pipe_that_fails_ends_the_copy(void **state)
{
	struct piped *p = *state;
	struct gmem_error err;

	begin(1000);
	does.writes[1] = -ENOMEM;
	t_refused(gmem_write(p->g, 0, p->bytes, LEN, &err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, err);
	assert_int_equal(err.done, 64 * KiB);
	assert_int_equal(err.sys_errno, ENOMEM);
	assert_int_equal(does.open, 0);
	begin(1000);
	does.reads[0] = -ENOMEM;
	t_refused(gmem_read(p->g, 0, p->back, LEN, &err), -ENOMEM,
		  GMEM_REASON_NO_MEMORY, err);
	assert_int_equal(err.done, 0);
	assert_int_equal(does.open, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define pipe_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		pipe_test(one_pipe_does_for_a_copy),
		pipe_test(a_signal_is_no_failure),
		pipe_test(a_pipe_that_was_not_emptied_is_not_used_again),
		pipe_test(a_pipe_that_fails_ends_the_copy),
	};

	return t_main(tests);
}
