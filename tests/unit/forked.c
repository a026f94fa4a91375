// SPDX-License-Identifier: MIT
/*
 * A forked child ends what it inherited, wherever the threads were that it
 * did not inherit.
 */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmem_model.h>

#include "unit.h"

#include "file.h"
#include "map.h"
#include "ticket.h"
#include "tree.h"
#include "vm.h"

enum {
	DESTROYED = 100,
	LEFT_OPEN,
	FAILED
};

/* In a child that is killed if it hangs: which of the above. */
static int destroy_in_child(struct unit *m)
{
	int vm = gmem_vm_fd(m->vm), file = gmem_fd(m->g), status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)alarm(120);
		/* else cmocka would continue here, as if it were the test */
		(void)signal(SIGSEGV, SIG_DFL);
		if (gmem_vm_destroy(m->vm, NULL) < 0)
			_exit(FAILED);
		_exit(fcntl(vm, F_GETFD) < 0 && fcntl(file, F_GETFD) < 0
			      ? DESTROYED
			      : LEFT_OPEN);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* ------------------------------------------- while another one changes -- */

struct holder {
	struct unit *m;
	sem_t *at, *go;
	bool file; /* the file's lock, or the VM's */
};

static void break_tree(struct gmem__tree *t, struct gmem__node **was)
{
	*was = t->root;
	t->root = (struct gmem__node *)(uintptr_t)0x40;
}

/* With the lock held nothing has to be as it is else. */
static void *hold(void *arg)
{
	struct holder *h = arg;
	struct gmem_vm *vm = h->m->vm;
	struct gmem *g = h->m->g;
	pthread_mutex_t *lock = h->file ? &g->lock : &vm->lock;
	struct gmem__map *maps = g->maps;
	struct gmem__node *was[2] = { NULL };

	(void)pthread_mutex_lock(lock);
	if (h->file) {
		g->maps = (struct gmem__map *)(uintptr_t)0x40;
	} else {
		break_tree(&vm->by_id, &was[0]);
		break_tree(&vm->left, &was[1]);
	}
	(void)sem_post(h->at);
	(void)sem_wait(h->go);
	if (h->file) {
		g->maps = maps;
	} else {
		vm->by_id.root = was[0];
		vm->left.root = was[1];
	}
	(void)pthread_mutex_unlock(lock);
	return NULL;
}

static void what_is_half_changed_is_left_alone(void **state)
{
	struct unit *m = *state;
	struct holder h = { .m = m };
	pthread_t thread;
	void *p = NULL;
	sem_t at, go;

	unit_create(m, 1 * MiB, SHARED_FLAGS);
	unit_bind(m, m->g, 0, GiB);
	t_ok(gmem_mmap(m->g, 0, 1 * MiB, NULL, &p, &m->err), m->err);
	assert_int_equal(sem_init(&at, 0, 0) | sem_init(&go, 0, 0), 0);
	h.at = &at;
	h.go = &go;
	for (int i = 0; i < 2; i++) {
		int r;

		h.file = i;
		assert_int_equal(pthread_create(&thread, NULL, hold, &h), 0);
		(void)sem_wait(&at);
		r = destroy_in_child(m);
		(void)sem_post(&go);
		(void)pthread_join(thread, NULL);
		assert_int_equal(r, DESTROYED);
	}
	assert_int_equal(destroy_in_child(m), DESTROYED);
}

/* ----------------------------------------- while others wait their turn -- */

struct turns {
	struct gmem *g;
	sem_t at, go;
	bool stops;
};

static void stop(void *arg, const struct gmem_trace *e)
{
	struct turns *t = arg;

	if (!__atomic_load_n(&t->stops, __ATOMIC_RELAXED) ||
	    strcmp(e->call, "KVM_SET_MEMORY_ATTRIBUTES") != 0)
		return;
	__atomic_store_n(&t->stops, false, __ATOMIC_RELAXED);
	(void)sem_post(&t->at);
	(void)sem_wait(&t->go);
}

static void *convert(void *arg)
{
	struct turns *t = arg;

	struct gmem_error err = { .sz = sizeof(err) };
	int r = gmem_set_private(t->g, 0, 1 * MiB, &err);

	return r < 0 ? arg : NULL;
}

static void nobody_s_turn_is_waited_for(void **state)
{
	struct unit *m = *state;
	struct turns t = { .stops = false };
	pthread_t first, second;
	int r;

	assert_int_equal(sem_init(&t.at, 0, 0) | sem_init(&t.go, 0, 0), 0);
	m->vm = unit_vm(m, GMEM_VM_SW_PROTECTED, stop, &t);
	t.g = unit_create(m, 1 * MiB, 0);
	unit_bind(m, m->g, 0, GiB);
	t.stops = true;
	assert_int_equal(pthread_create(&first, NULL, convert, &t), 0);
	(void)sem_wait(&t.at);
	assert_int_equal(pthread_create(&second, NULL, convert, &t), 0);
	while (unit_turns(m->vm, NULL, 0) < 2)
		(void)usleep(1000);
	(void)usleep(10000); /* until it sleeps */
	r = destroy_in_child(m);
	(void)sem_post(&t.go);
	(void)pthread_join(first, NULL);
	(void)pthread_join(second, NULL);
	assert_int_equal(r, DESTROYED);
	t_ok(gmem_vm_destroy(m->vm, &m->err), m->err);
	m->vm = NULL; /* before @t goes */
}

/* ------------------------------------------------------------ its result -- */

/* Whether the child's call gave @code and @reason. */
static bool gives(struct unit *m, int code, uint32_t reason)
{
	struct gmem_error err = { .sz = sizeof(err) };
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		unit_answer(m, "munmap", 0, 1, 1, code);
		_exit(gmem_vm_destroy(m->vm, &err) != code ||
		      err.reason != reason || !err.msg[0] != !code);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void a_child_knows_whether_the_vm_s_page_is_gone(void **state)
{
	struct unit *m = *state;

	assert_true(gives(m, 0, GMEM_REASON_NONE));
	assert_true(gives(m, -EPERM, GMEM_REASON_ACCESS_DENIED));
}

/* ------------------------------------ while another one is in the model -- */

static void the_model_does_not_hang_a_child(void **state)
{
	struct unit *m = *state;
	const uint64_t arg[6] = { (uint64_t)-1 };
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_vm *vm = NULL;
	int status = 0;
	pid_t pid;

	t_ok(gmem_model_vm_open("7.3", NULL, &vm, &m->err), m->err);
	for (int busy = 0; busy < 2; busy++) {
		struct kernel *k = gmem__vm_priv(vm, &model__sys);

		if (busy)
			model__lock(k);
		pid = fork();
		if (pid == 0) {
			int64_t r;

			(void)alarm(120);
			r = gmem_model_syscall(vm, SYS_close, arg, &err);
			if (r != (busy ? -EAGAIN : -EBADF))
				_exit(FAILED);
			_exit(gmem_vm_destroy(vm, NULL) < 0 ? FAILED
							    : DESTROYED);
		}
		if (busy)
			model__unlock(k);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), DESTROYED);
	}
	t_ok(gmem_vm_destroy(vm, &m->err), m->err);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_model_does_not_hang_a_child, unit_default),
		TEST(what_is_half_changed_is_left_alone, unit_default73),
		TEST(nobody_s_turn_is_waited_for, unit_bare73),
		TEST(a_child_knows_whether_the_vm_s_page_is_gone,
		     unit_default73),
	};

	return t_main(tests);
}
