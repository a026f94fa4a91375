/* SPDX-License-Identifier: MIT */
/*
 * Folders of a test in place of /proc, /sys and the like, which no other
 * process sees: what gmemctl reads there is what the test has written.
 */
#ifndef GMEM_TESTS_CLI_FOLDERS_H
#define GMEM_TESTS_CLI_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>

/* Mounts an empty folder over each of @paths, whose last is NULL, or none. */
bool folders_mount(const char *const *paths);
void folders_unmount(const char *const *paths);

/* Zeroes of @size for a test, with folders over @paths; NULL: it cannot. */
void *folders_world(const char *const *paths, size_t size);
/* Ends both. */
void folders_end(const char *const *paths, void *world);

/* Leaves the test as skipped where folders_mount() could not. */
void folders_needed(bool mounted);

/* Makes the folders that the file is in, too. */
void write_bytes(const char *path, const void *bytes, size_t n);
void write_file(const char *path, const char *text);

#endif
