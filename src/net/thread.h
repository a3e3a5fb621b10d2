/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Short-lived threads, for what must not happen in the loop's: changing the
 * network namespace, and waiting for the kernel to take a link apart. All
 * signals are blocked there, they are the loop's.
 */
#pragma once

/* Runs fn in a thread and waits for it. 0, or a negative errno when there was no thread. */
int thread_run(void *(*fn)(void *), void *arg);
/* Runs fn in a thread nobody waits for; arg is its own. 0 or a negative errno. */
int thread_leave(void *(*fn)(void *), void *arg);
