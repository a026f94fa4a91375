// SPDX-License-Identifier: MIT
/*
 * share: send guest memory to another process over a UNIX socket.
 *
 * The process that owns the VM sends the descriptor; the other one has no VM,
 * verifies what it received, maps it and writes.  A device back end or a pager
 * works like that.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmem.h>

#define SIZE (2ULL << 20)
#define TEXT "written by another process"

static int failed(const char *what, const struct gmem_error *err)
{
	fputs("share: ", stderr);
	gmem_print_error(stderr, what, err);
	return 1;
}

union control {
	char buf[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static int send_fd(int sock, int fd)
{
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	union control u = { { 0 } };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = u.buf,
		.msg_controllen = sizeof(u.buf),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -1;
}

static int receive_fd(int sock)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	union control u;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = u.buf,
		.msg_controllen = sizeof(u.buf),
	};
	struct cmsghdr *c;
	int fd = -1;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* The other process: no VM, only the file. */
static int back_end(int sock)
{
	/* The descriptor does not show that it starts shared: it was agreed. */
	struct gmem_adopt_opts opts = {
		.sz = sizeof(opts),
		.flags = GMEM_ADOPT_INIT_SHARED,
	};
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem *memory = NULL;
	int fd = receive_fd(sock), status = 1;
	void *map;

	if (gmem_adopt(NULL, fd, &opts, &memory, &err) < 0)
		return failed("adopt what was sent", &err);
	if (gmem_mmap(memory, 0, gmem_size(memory), NULL, &map, &err) < 0) {
		failed("map it", &err);
		goto out;
	}
	memcpy(map, TEXT, sizeof(TEXT));
	if (gmem_munmap(memory, map, &err) < 0) {
		failed("unmap it", &err);
		goto out;
	}
	status = 0;
out:
	(void)gmem_close(memory, NULL);
	return status;
}

static int owner(int sock, pid_t child)
{
	struct gmem_error err = { .sz = sizeof(err) };
	struct gmem_create_opts opts = {
		.sz = sizeof(opts),
		.flags = GMEM_CREATE_MMAP | GMEM_CREATE_INIT_SHARED,
	};
	struct gmem_vm *vm = NULL;
	struct gmem *memory;
	char back[sizeof(TEXT)] = "";
	int status = 1, child_status = 1;

	if (gmem_vm_open(NULL, &vm, &err) < 0 ||
	    gmem_create(vm, SIZE, &opts, &memory, &err) < 0) {
		failed("create guest memory", &err);
		goto out;
	}
	if (send_fd(sock, gmem_fd(memory)) < 0) {
		perror("share: send it");
		goto out;
	}
	if (waitpid(child, &child_status, 0) != child || child_status)
		goto out;
	if (gmem_read(memory, 0, back, sizeof(back), &err) < 0) {
		failed("read it", &err);
		goto out;
	}
	printf("guest memory holds \"%s\"\n", back);
	status = strcmp(back, TEXT) ? 1 : 0;
out:
	if (gmem_vm_destroy(vm, &err) < 0)
		status = failed("destroy the VM", &err);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "share: the output could not be written\n");
		status = 1;
	}
	return status;
}

int main(void)
{
	int sock[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock) < 0) {
		perror("share");
		return 1;
	}
	/* Fork before the VM is made: its handles do not work in a child. */
	child = fork();
	if (child < 0) {
		perror("share");
		return 1;
	}
	if (child == 0) {
		(void)close(sock[0]);
		_exit(back_end(sock[1]));
	}
	(void)close(sock[1]);
	return owner(sock[0], child);
}
