/* SPDX-License-Identifier: MIT */
/* What a VM can do, as it was found out when it was opened. */
#ifndef GMEM_LIB_FEATURE_H
#define GMEM_LIB_FEATURE_H

#include <stdint.h>

#include "ctx.h"

struct gmem__feature {
	uint8_t support;
	int32_t answer;
};

#define GMEM__FEATURES_MAX 64 /* room for all that feature.c has */

/* 0, or the -errno of a shortage that hides how the VM converts. */
int gmem__probe(struct gmem_vm *vm);
/* Puts into @info what arm64 has differently. */
void gmem__feature_on_arm64(uint32_t feature, struct gmem_feature_info *info);
int gmem__cap(const struct gmem__ctx *ctx, int fd, unsigned long cap);

#endif
