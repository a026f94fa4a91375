// SPDX-License-Identifier: MIT
/*
 * System calls by number: what a program that does not use the library says
 * to the kernel, said to the model's.
 */
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "error.h"
#include "macros.h"
#include "model.h"
#include "model_sys.h"
#include "seam.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* 6.5, the same number everywhere */
#endif

static void *pointer(uint64_t arg)
{
	return (void *)(uintptr_t)arg;
}

/* A path ends somewhere, and not beyond what is mapped. */
static int path_in(char path[PATH_MAX], uint64_t from)
{
	for (size_t i = 0; i < PATH_MAX; i++) {
		int r = model__copy_in(&path[i], pointer(from + i), 1);

		if (r < 0 || !path[i])
			return r;
	}
	return -ENAMETOOLONG;
}

static int64_t call_openat(struct kernel *k, const uint64_t *a)
{
	char path[PATH_MAX];
	int r = path_in(path, a[1]);

	return r < 0 ? r : model__sys.open(k, path, (int)a[2]);
}

static int64_t call_close(struct kernel *k, const uint64_t *a)
{
	return model__sys.close(k, (int)a[0]);
}

static int64_t call_ioctl(struct kernel *k, const uint64_t *a)
{
	return model__sys.ioctl(k, (int)a[0], a[1], pointer(a[2]));
}

static int64_t call_fstat(struct kernel *k, const uint64_t *a)
{
	struct gmem__stat st = { 0 };
	int r = model__sys.fstat(k, (int)a[0], &st);
	struct stat out = {
		.st_size = (off_t)st.size,
		.st_blksize = (blksize_t)st.block,
		.st_ino = st.ino,
		.st_dev = st.dev,
		.st_mode = st.mode,
		.st_nlink = 1,
		.st_uid = st.uid,
	};

	return r < 0 ? r : model__copy_out(pointer(a[1]), &out, sizeof(out));
}

static int64_t call_fstatfs(struct kernel *k, const uint64_t *a)
{
	struct statfs out = { 0 };
	uint64_t magic = 0;
	int r = model__sys.fstatfs(k, (int)a[0], &magic);

	if (r < 0)
		return r;
	out.f_type = (__typeof__(out.f_type))magic;
	return model__copy_out(pointer(a[1]), &out, sizeof(out));
}

static int64_t call_mmap(struct kernel *k, const uint64_t *a)
{
	void *addr = pointer(a[0]);
	int r = model__sys.mmap(k, &addr, a[1], (int)a[2], (int)a[3], (int)a[4],
				a[5]);

	return r < 0 ? r : (int64_t)(uintptr_t)addr;
}

static int64_t call_munmap(struct kernel *k, const uint64_t *a)
{
	return model__sys.munmap(k, pointer(a[0]), a[1]);
}

static int64_t call_madvise(struct kernel *k, const uint64_t *a)
{
	return model__sys.madvise(k, pointer(a[0]), a[1], (int)a[2]);
}

static int64_t call_mbind(struct kernel *k, const uint64_t *a)
{
	return model__sys.mbind(k, pointer(a[0]), a[1], (int)a[2],
				pointer(a[3]), a[4], (unsigned int)a[5]);
}

static int64_t call_get_mempolicy(struct kernel *k, const uint64_t *a)
{
	return model__sys.get_mempolicy(k, pointer(a[0]), pointer(a[1]), a[2],
					pointer(a[3]), a[4]);
}

static int64_t call_set_mempolicy(struct kernel *k, const uint64_t *a)
{
	return model__sys.set_mempolicy(k, (int)a[0], pointer(a[1]), a[2]);
}

/* Of this process. */
static int64_t call_move_pages(struct kernel *k, const uint64_t *a)
{
	if (a[0])
		return -ENOSYS;
	return model__sys.move_pages(k, a[1], pointer(a[2]), pointer(a[3]),
				     pointer(a[4]));
}

static int64_t call_mincore(struct kernel *k, const uint64_t *a)
{
	return model__sys.mincore(k, pointer(a[0]), a[1], pointer(a[2]));
}

static int64_t call_fallocate(struct kernel *k, const uint64_t *a)
{
	return model__sys.fallocate(k, (int)a[0], (int)a[1], a[2], a[3]);
}

static int64_t call_read(struct kernel *k, const uint64_t *a)
{
	return model__sys.read(k, (int)a[0], pointer(a[1]), a[2]);
}

static int64_t call_write(struct kernel *k, const uint64_t *a)
{
	return model__sys.write(k, (int)a[0], pointer(a[1]), a[2]);
}

static int64_t call_pread64(struct kernel *k, const uint64_t *a)
{
	return model__sys.pread(k, (int)a[0], pointer(a[1]), a[2], a[3]);
}

static int64_t call_pwrite64(struct kernel *k, const uint64_t *a)
{
	return model__sys.pwrite(k, (int)a[0], pointer(a[1]), a[2], a[3]);
}

static int64_t call_lseek(struct kernel *k, const uint64_t *a)
{
	return model__sys.lseek(k, (int)a[0], a[1], (int)a[2]);
}

/* The range is two words; of the five of the answer the first is known. */
static int64_t call_cachestat(struct kernel *k, const uint64_t *a)
{
	uint64_t range[2], out[5] = { 0 };
	int r = model__copy_in(range, pointer(a[1]), sizeof(range));

	if (r < 0)
		return r;
	r = model__sys.cachestat(k, (int)a[0], range[0], range[1], &out[0]);
	return r < 0 ? r : model__copy_out(pointer(a[2]), out, sizeof(out));
}

/* Of this process, and one piece at either end. */
static int pieces_in(struct iovec p[2], const uint64_t *a)
{
	int r;

	if (a[2] != 1 || a[4] != 1)
		return -ENOSYS;
	r = model__copy_in(&p[0], pointer(a[1]), sizeof(p[0]));
	if (r == 0)
		r = model__copy_in(&p[1], pointer(a[3]), sizeof(p[1]));
	if (r < 0)
		return r;
	return p[0].iov_len == p[1].iov_len ? 0 : -ENOSYS;
}

static int64_t call_process_vm_readv(struct kernel *k, const uint64_t *a)
{
	struct iovec p[2];
	int r = pieces_in(p, a);

	return r < 0 ? r
		     : model__sys.vm_read(k, p[0].iov_base, p[1].iov_base,
					  p[0].iov_len);
}

static int64_t call_process_vm_writev(struct kernel *k, const uint64_t *a)
{
	struct iovec p[2];
	int r = pieces_in(p, a);

	return r < 0 ? r
		     : model__sys.vm_write(k, p[1].iov_base, p[0].iov_base,
					   p[0].iov_len);
}

#define CALL(name)                      \
	{                               \
		SYS_##name, call_##name \
	}

static const struct {
	long number;
	int64_t (*call)(struct kernel *k, const uint64_t *a);
} calls[] = {
	CALL(openat),
	CALL(close),
	CALL(ioctl),
	CALL(fstat),
	CALL(fstatfs),
	CALL(mmap),
	CALL(munmap),
	CALL(madvise),
	CALL(mbind),
	CALL(get_mempolicy),
	CALL(set_mempolicy),
	CALL(move_pages),
	CALL(mincore),
	CALL(fallocate),
	CALL(read),
	CALL(write),
	CALL(pread64),
	CALL(pwrite64),
	CALL(lseek),
	CALL(cachestat),
	CALL(process_vm_readv),
	CALL(process_vm_writev),
};

/* Also of a forked child: to the kernel it is another process. */
int64_t gmem_model_syscall(struct gmem_vm *vm, long number,
			   const uint64_t arg[6], struct gmem_error *err)
{
	int64_t r = gmem__begin(err);
	struct kernel *k;

	if (r < 0)
		return r;
	if (!vm || !arg)
		return gmem__fail(err, GMEM_REASON_NULL_ARGUMENT, 0, 0,
				  "%s is NULL", vm ? "arg" : "the VM");
	k = gmem__vm_priv(vm, &model__sys);
	if (!k)
		return gmem__fail(err, GMEM_REASON_NOT_A_VM, 0, 0,
				  "the VM is not one of the model");
	if (model__torn(k))
		return gmem__fail_sys(err, GMEM_REASON_KERNEL, -EAGAIN, -EAGAIN,
				      (uint64_t)number, 0,
				      "another thread was in the model when "
				      "this process was made");
	r = -ENOSYS;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].number == number)
			r = calls[i].call(k, arg);
	if (r < 0)
		(void)gmem__fail_sys(
			err, GMEM_REASON_KERNEL, 0, (int)r, (uint64_t)number, 0,
			"system call %ld fails with errno %d", number, (int)-r);
	return r;
}
