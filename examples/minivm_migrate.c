// SPDX-License-Identifier: MIT
/*
 * minivm: its RAM goes to a second process, through a pipe: the size of the
 * record of attributes, the record, the RAM.  The second process is a program
 * of its own, with a VM of its own: a forked child cannot use the handles.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "minivm.h"

#define RECORD_MAX MIB /* more than any record of RAM_SIZE needs */

int write_all(int fd, const void *buf, size_t len)
{
	const char *from = buf;

	while (len) {
		ssize_t n = write(fd, from, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sys_failed("send");
		from += n;
		len -= n;
	}
	return 0;
}

int read_all(int fd, void *buf, size_t len)
{
	char *to = buf;

	while (len) {
		ssize_t n = read(fd, to, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sys_failed("receive");
		if (n == 0) {
			fprintf(stderr, "minivm: the sender has gone\n");
			return -1;
		}
		to += n;
		len -= n;
	}
	return 0;
}

/* The record of the RAM's attributes; the caller frees it.  NULL on failure. */
static void *export_record(struct machine *m, size_t *len)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	void *record;

	if (gmem_attributes_export(m->ram, NULL, len, &err) < 0) {
		failed("measure the record", &err);
		return NULL;
	}
	record = malloc(*len);
	if (!record) {
		sys_failed("allocate the record");
		return NULL;
	}
	if (gmem_attributes_export(m->ram, record, len, &err) < 0) {
		failed("export the record", &err);
		free(record);
		return NULL;
	}
	return record;
}

static int send_ram(void *arg, int fd)
{
	struct machine *m = arg;
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	size_t len;
	void *record = export_record(m, &len);
	uint64_t size = len;
	int r = -1;

	if (!record)
		return -1;
	if (write_all(fd, &size, sizeof(size)) == 0 &&
	    write_all(fd, record, len) == 0)
		r = 0;
	free(record);
	if (r == 0 && gmem_store(m->ram, 0, fd, RAM_SIZE, NULL, &err) < 0)
		return failed("send the RAM", &err);
	return r;
}

/* In the child: becomes the second process, with the pipe as its input. */
static void run_receiver(const char *option, const int pipe_fd[2])
{
	if (dup2(pipe_fd[0], STDIN_FILENO) >= 0) {
		if (pipe_fd[0] != STDIN_FILENO)
			close(pipe_fd[0]);
		close(pipe_fd[1]);
		execl("/proc/self/exe", "minivm", option, (char *)NULL);
	}
	sys_failed("start the second process");
	_exit(1);
}

int send_to_second(const char *option, int (*send)(void *arg, int fd),
		   void *arg)
{
	int pipe_fd[2], status, r;
	pid_t child;

	/* The second process prints to the same place, after this one. */
	if (fflush(stdout))
		return -1;
	if (pipe(pipe_fd) < 0)
		return sys_failed("make a pipe");
	child = fork();
	if (child == 0)
		run_receiver(option, pipe_fd);
	close(pipe_fd[0]);
	if (child < 0) {
		close(pipe_fd[1]);
		return sys_failed("fork");
	}
	signal(SIGPIPE, SIG_IGN); /* an error code is enough */
	r = send(arg, pipe_fd[1]);
	close(pipe_fd[1]);
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return sys_failed("wait for the second process");
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "minivm: the second process failed\n");
		return -1;
	}
	return r;
}

int migrate(struct machine *m)
{
	return send_to_second("--receive", send_ram, m);
}

/* Sets the attributes that the sender exported, and compares. */
static int import_record(struct machine *m, const void *record, size_t len)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	size_t now_len;
	void *now;
	int same;

	if (gmem_attributes_import(m->ram, record, len, 0, &err) < 0)
		return failed("import the record", &err);
	now = export_record(m, &now_len);
	if (!now)
		return -1;
	same = now_len == len && memcmp(now, record, len) == 0;
	free(now);
	if (!same) {
		fprintf(stderr, "minivm: the attributes differ\n");
		return -1;
	}
	return 0;
}

static int receive_ram(struct machine *m, int fd)
{
	struct gmem_error err = GMEM_INIT(struct gmem_error);
	uint64_t len;
	void *record;
	int r = -1;

	if (read_all(fd, &len, sizeof(len)) < 0)
		return -1;
	record = len <= RECORD_MAX ? malloc(len) : NULL;
	if (!record) {
		fprintf(stderr, "minivm: no memory for the record\n");
		return -1;
	}
	if (read_all(fd, record, len) < 0)
		goto out;
	if (gmem_load(m->ram, 0, fd, RAM_SIZE, NULL, &err) < 0) {
		failed("receive the RAM", &err);
		goto out;
	}
	r = import_record(m, record, len);
out:
	free(record);
	return r;
}

/* The slots are laid out as the sender's, then filled. */
int receive(struct machine *m)
{
	if (make_file(m, RAM_SIZE, &m->ram) < 0 || bind_ram(m) < 0 ||
	    put_hole(m) < 0 || receive_ram(m, STDIN_FILENO) < 0)
		return -1;
	if (check_line(m, 0, line_low, 1) < 0 ||
	    check_line(m, HOLE_GPA + HOLE_SIZE, line_high, 1) < 0)
		return -1;
	if (show_slots(m, "migrated, with the guest's lines and results") < 0)
		return -1;
	if (run_line(m, 0, line_low) < 0)
		return -1;
	return run_line(m, HOLE_GPA + HOLE_SIZE, line_high);
}
