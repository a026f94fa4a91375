/* SPDX-License-Identifier: MIT */
#ifndef GMEM_MODEL_SYS_H
#define GMEM_MODEL_SYS_H

#include "sys.h"

/* The model as the library sees a system; its priv is a struct kernel. */
extern const struct gmem_sys model__sys;

#endif
