/* SPDX-License-Identifier: MIT */
/* Capabilities: which one is missing, and giving up those not needed. */
#ifndef GMEMCTL_TARGET_PRIV_H
#define GMEMCTL_TARGET_PRIV_H

#include <stdbool.h>
#include <stddef.h>

struct ctl;

/* Whether this process has CAP_@cap in force. */
bool priv_has(int cap);
/* What it lacks to see the files of all processes, in words; NULL = nothing. */
const char *priv_lacks_sight(void);
/* Keeps of its capabilities only those of @list. */
int priv_only(struct ctl *ctl, const int *list, size_t n);
/*
 * Gives up every capability: nothing after opening the device needs one.
 * Return: 0, or the exit status.
 */
int priv_drop(struct ctl *ctl);
/* What lets this process open @path that was refused, and why; or "". */
#define PRIV_TEXT 512
const char *priv_remedy(const char *path, char buf[PRIV_TEXT]);

#endif
