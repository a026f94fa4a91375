/* SPDX-License-Identifier: MIT */
/* The handle of a guest_memfd. */
#ifndef GMEM_LIB_FILE_H
#define GMEM_LIB_FILE_H

#include <pthread.h>

#include "ctx.h"
#include "record.h"
#include "ticket.h"

struct gmem {
	struct gmem__ctx *ctx; /* the VM's, or own_ctx */
	struct gmem__ctx own_ctx;
	struct gmem_vm *vm; /* NULL: a file without a VM */
	struct gmem *next;  /* in vm->files */
	struct gmem **prev; /* what points to it there */
	bool linked;	    /* it is there; the owner's to ask */
	bool identified;    /* the two below are known */
	uint64_t ino, dev;
	int fd;
	uint64_t size;
	uint64_t page_size; /* the file's: the huge page or the host's */
	uint64_t flags;	    /* GMEM_CREATE_* that it was made with */
	bool adopted;	    /* not made here: may be another VM's */
	bool foreign;	    /* is another VM's: HVA mode only */
	struct gmem__record record; /* .blocks NULL: nothing converts */
	void *record_mem;
	size_t record_len;
	pthread_mutex_t lock; /* the record's writers and all below */
	unsigned char *view;  /* the whole file; from the first bind on */
	struct gmem__map *reservation; /* PROT_NONE, as large as the file */
	unsigned int reserved;	       /* slots that lie in it, or will */
	struct gmem__map *maps;
	struct gmem__map *left; /* could not be unmapped yet */
	unsigned int slots;	/* in the table; under the VM's lock */
	unsigned int users;	/* that found it by guest address; likewise */
	bool quiesced;		/* these do not find it; likewise */
	struct gmem_region *region; /* that has it, or NULL; atomic */
};

/* A handle without its descriptor; with a record if it @converts. */
int gmem__file_alloc(struct gmem__ctx *ctx, struct gmem_vm *vm, uint64_t size,
		     bool converts, struct gmem **out, struct gmem_error *err);
void gmem__file_free(struct gmem *g);
/* The VM's list of files; linking with its lock held. */
void gmem__file_link(struct gmem *g);
void gmem__file_unlink(struct gmem *g);
/* .fd and .flags are set: the first state of its pages, the VM's list. */
void gmem__file_start(struct gmem *g);
/*
 * Removes the handle's mappings; on failure it is as before, and what could
 * not be removed is tried again by the next call.
 */
int gmem__file_unmap(struct gmem *g, struct gmem_error *err);
/*
 * Who finds the file by guest address, where the caller of gmem_close() cannot
 * know of it, and has no turn with it, uses it from then on, with vm->lock
 * held, until it leaves it.
 */
void gmem__file_use(struct gmem *g);
void gmem__file_leave(struct gmem *g);

/* The turn with all of the file of a call that ends it, or its region. */
struct gmem__quiet {
	struct gmem__range all;
	struct gmem__ticket ticket;
};

/*
 * Waits until no other call has a turn with the file or uses it; none finds it
 * then by guest address until gmem__file_resume().  Not in a callback.
 */
void gmem__file_quiesce(struct gmem *g, struct gmem__quiet *q);
void gmem__file_resume(struct gmem *g, const struct gmem__quiet *q);
/* gmem_close() for a file whatever region it is in, which goes with it. */
int gmem__file_close(struct gmem *g, struct gmem_error *err);
/* Closes and frees a handle that was unmapped and is in no list any more. */
void gmem__file_release(struct gmem *g);

#endif
