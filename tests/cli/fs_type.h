/* SPDX-License-Identifier: MIT */
/*
 * statfs(2) and fstatfs(2) in place of the C library's: all that is there is
 * of this file system, as where cgroups are mounted.
 */
#ifndef GMEM_TESTS_CLI_FS_TYPE_H
#define GMEM_TESTS_CLI_FS_TYPE_H

extern unsigned long fs_type;

#endif
