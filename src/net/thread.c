/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/thread.h"

#include <pthread.h>
#include <signal.h>

static int start(void *(*fn)(void *), void *arg, pthread_t *ret)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(ret, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

int thread_run(void *(*fn)(void *), void *arg)
{
	pthread_t thread;
	int r = start(fn, arg, &thread);

	return r < 0 ? r : -pthread_join(thread, NULL);
}

int thread_leave(void *(*fn)(void *), void *arg)
{
	pthread_t thread;
	int r = start(fn, arg, &thread);

	return r < 0 ? r : -pthread_detach(thread);
}
