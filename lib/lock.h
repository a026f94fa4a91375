/* SPDX-License-Identifier: MIT */
/* Locks that are initialised and never locked twice by a thread: no failure. */
#ifndef GMEM_LIB_LOCK_H
#define GMEM_LIB_LOCK_H

#include <pthread.h>

static inline void gmem__lock(pthread_mutex_t *m)
{
	(void)pthread_mutex_lock(m);
}

static inline void gmem__unlock(pthread_mutex_t *m)
{
	(void)pthread_mutex_unlock(m);
}

#endif
