/* SPDX-License-Identifier: MIT */
/* What no header of the system has. */
#ifndef GMEM_LIB_MACROS_H
#define GMEM_LIB_MACROS_H

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* In the map's node LIBGMEM_PRIVATE: for libgmem-model. */
#define GMEM__SEAM __attribute__((visibility("default")))

#endif
