/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker thread: a queue in, a queue out, an eventfd that wakes the loop.
 * The lock guards the two queues, `stop` and `busy`; a job belongs to the worker
 * between submit and done.
 */
#include "loop/loop.h"

#include "base/array.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

struct job {
	void *user;
	loop_job_run_fn run;
	loop_job_done_fn done;
};

struct loop_worker {
	struct loop_io *io;
	int wake; /* eventfd */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_cond_t ended; /* a job */
	bool stop;
	bool busy; /* with a job that is in neither queue */
	ARRAY(struct job) waiting;
	ARRAY(struct job) finished;
};

/* Waits for a job; false when there is none and none will come. */
static bool next_job(struct loop_worker *w, struct job *ret)
{
	bool found;

	pthread_mutex_lock(&w->lock);
	while (!w->stop && w->waiting.n == 0)
		pthread_cond_wait(&w->more, &w->lock);
	found = !w->stop;
	if (found) {
		*ret = w->waiting.v[0];
		array_remove(&w->waiting, 0);
	}
	w->busy = found;
	pthread_mutex_unlock(&w->lock);
	return found;
}

static void *work(void *arg)
{
	struct loop_worker *w = arg;
	struct job job;

	while (next_job(w, &job)) {
		job.run(job.user);
		pthread_mutex_lock(&w->lock);
		*array_add(&w->finished) = job;
		w->busy = false;
		pthread_cond_signal(&w->ended);
		pthread_mutex_unlock(&w->lock);
		eventfd_write(w->wake, 1);
	}
	return NULL;
}

static bool take_finished(struct loop_worker *w, struct job *ret)
{
	bool found;

	pthread_mutex_lock(&w->lock);
	found = w->finished.n > 0;
	if (found) {
		*ret = w->finished.v[0];
		array_remove(&w->finished, 0);
	}
	pthread_mutex_unlock(&w->lock);
	return found;
}

/* One job a turn: done() may free the worker. */
static void on_wake(int fd, unsigned events, void *user)
{
	struct loop_worker *w = user;
	eventfd_t count;
	struct job job;

	(void)events;
	eventfd_read(fd, &count);
	if (take_finished(w, &job))
		job.done(job.user, true);
}

struct loop_worker *loop_worker_new(struct loop *loop)
{
	struct loop_worker *w = xcalloc(1, sizeof(*w));
	sigset_t all, old;

	/* EFD_SEMAPHORE: as many wake-ups as finished jobs */
	w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
	sn_require(w->wake >= 0);
	w->io = loop_io_new(loop, w->wake, LOOP_READ, on_wake, w);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	pthread_cond_init(&w->ended, NULL);
	/* signals are the loop's */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	sn_require(pthread_create(&w->thread, NULL, work, w) == 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return w;
}

void loop_worker_submit(struct loop_worker *w, void *user, loop_job_run_fn run,
			loop_job_done_fn done)
{
	pthread_mutex_lock(&w->lock);
	*array_add(&w->waiting) = (struct job){ .user = user, .run = run, .done = done };
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
}

/* The wake-ups of what is taken here find nothing. */
void loop_worker_drain(struct loop_worker *w)
{
	struct job job;

	pthread_mutex_lock(&w->lock);
	while (w->busy || w->waiting.n > 0)
		pthread_cond_wait(&w->ended, &w->lock);
	pthread_mutex_unlock(&w->lock);
	while (take_finished(w, &job))
		job.done(job.user, true);
}

void loop_worker_free(struct loop_worker *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	loop_io_free(w->io);
	array_foreach(&w->finished, job)
		job->done(job->user, true);
	array_foreach(&w->waiting, job)
		job->done(job->user, false);
	array_free(&w->finished);
	array_free(&w->waiting);
	pthread_cond_destroy(&w->more);
	pthread_cond_destroy(&w->ended);
	pthread_mutex_destroy(&w->lock);
	close(w->wake);
	free(w);
}
