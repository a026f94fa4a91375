/* SPDX-License-Identifier: MIT */
#ifndef GMEMCTL_TABLE_ARRAY_H
#define GMEMCTL_TABLE_ARRAY_H

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
