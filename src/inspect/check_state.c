/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is on this host's disk: configuration, secret, state, runtime files. */
#include "inspect/look.h"
#include "inspect/unix_socket.h"

#include "base/file.h"
#include "secret/secret.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define SNAPSHOT_LIMIT ((size_t)64 << 20)
/* A snapshot of a large mesh, written beside the old one, twice. */
#define ROOM_MIN_BYTES ((uint64_t)16 << 20)
#define ROOM_MIN_INODES 64
#define OLD_S (30 * 24 * 3600)

void check_config(struct exam *x)
{
	if (x->config_error)
		exam_find(x, SEVERITY_FAULT,
			  "sennitd does not start with it, and a running one does not reload it; "
			  "the checks below take the defaults.",
			  "Mend what the text names; 'sennit check' reads it again.", "%s",
			  x->config_error->text);
	else if (access(x->config_path, F_OK) < 0)
		exam_ok(x, "%s is not there: the defaults hold", x->config_path);
	else
		exam_ok(x, "%s is good", x->config_path);
}

/* --- the secret ------------------------------------------------------------------------- */

static void judge_secret_mode(struct exam *x, const char *path, const struct stat *st)
{
	struct finding *f;

	if (!S_ISREG(st->st_mode) || !(st->st_mode & 077))
		return;
	f = exam_find(x, SEVERITY_FAULT,
		      "Whoever can read it can join the mesh as any host; sennitd refuses it like "
		      "this.",
		      "Make it its owner's alone. If others may have read it, make a new one "
		      "('sennit genkey') and give it to every host.",
		      "the secret file %s has mode %04o", path, st->st_mode & 07777u);
	finding_set_fix(f, FIX_MODE, path, NULL, 0600);
}

void check_secret(struct exam *x)
{
	_cleanup_(secrets_freep) struct secrets *secrets = NULL;
	const char *path = x->config->secret_file;
	struct sn_error e;
	struct stat st;
	int r;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077)) {
		judge_secret_mode(x, path, &st);
		return;
	}
	r = secrets_load(path, &secrets, &e);
	if (r == 0)
		exam_ok(x, "%s: %zu secret%s", path, secrets_count(secrets),
			secrets_count(secrets) == 1 ? "" : "s");
	else if (r == -EACCES && !x->root)
		exam_unseen(x, "%s: only root may read it", path);
	else
		exam_find(x, SEVERITY_FAULT, "Without the mesh's secret no tunnel can be built.",
			  "The file has one secret a line, the same on every host, as 'sennit "
			  "genkey' prints it; mode 0600.",
			  "%s", e.text);
}

/* --- the state directory ----------------------------------------------------------------- */

static void judge_room(struct exam *x, const char *path)
{
	struct statvfs fs;
	uint64_t room;

	if (statvfs(path, &fs) < 0)
		return;
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (fs.f_flag & ST_RDONLY)
		exam_find(x, SEVERITY_FAULT,
			  "What sennitd learns and gives away (the mesh, containers' addresses) "
			  "is lost at its next start, and no container can be attached.",
			  "Mount it writable, or set state_dir to a folder that is.",
			  "%s is on a file system that is mounted read-only", path);
	else if (room < ROOM_MIN_BYTES || (fs.f_files > 0 && fs.f_favail < ROOM_MIN_INODES))
		exam_find(x, SEVERITY_FAULT,
			  "A full disk keeps sennitd from storing the mesh and from attaching "
			  "containers.",
			  "Make room there ('df' and 'df -i' show what is used).",
			  "%s has room for %llu KiB and %llu files only", path,
			  (unsigned long long)(room >> 10), (unsigned long long)fs.f_favail);
	else
		exam_ok(x, "%s is root's, and has room", path);
}

static void judge_folder(struct exam *x, const char *path, const struct stat *st)
{
	if (!S_ISDIR(st->st_mode))
		exam_find(x, SEVERITY_FAULT, "sennitd cannot keep its state there.",
			  "Move it away; sennitd makes the folder.", "%s is no folder", path);
	else if (st->st_uid != 0)
		exam_find(x, SEVERITY_FAULT,
			  "Its owner can change what sennitd believes at its next start: the "
			  "mesh, the containers' addresses.",
			  "chown root:root it, and look at who it was.",
			  "%s belongs to the user %u, not to root", path, st->st_uid);
	else if (st->st_mode & 022)
		finding_set_fix(
			exam_find(x, SEVERITY_FAULT,
				  "Others can change what sennitd believes at its next start: the "
				  "mesh, the containers' addresses.",
				  "Take the write permission from group and others.",
				  "%s has mode %04o", path, st->st_mode & 07777u),
			FIX_MODE, path, NULL, st->st_mode & 07755u);
	else
		judge_room(x, path);
}

void check_state_dir(struct exam *x)
{
	const char *path = x->config->state_dir;
	struct stat st;

	if (stat(path, &st) == 0)
		judge_folder(x, path, &st);
	else if (errno == ENOENT)
		exam_ok(x, "%s is not there yet: sennitd makes it at its first start", path);
	else
		exam_unseen(x, "%s: %s", path, sn_strerror(-errno));
}

/* --- what is stored ------------------------------------------------------------------------ */

static void judge_stored_text(struct exam *x, const char *path, const char *text, size_t len)
{
	_cleanup_(snapshot_freep) struct snapshot *s = NULL;
	_cleanup_json_ json_t *v = NULL;
	struct sn_error e;

	if (json_parse(text, len, &v, &e) == 0 && snapshot_from_json(v, &s, &e) == 0)
		exam_ok(x, "%s: mesh %s, %zu hosts, this host is %s", path, s->mesh_id, s->hosts.n,
			s->self_id);
	else
		exam_find(
			x, SEVERITY_FAULT,
			"After a start sennitd has no mesh, and so no tunnels, until the metadata "
			"service answers.",
			"sennitd puts such a file aside and writes a new one as soon as the "
			"metadata service answers. If it comes again look for a failing disk.",
			"the stored state %s is damaged: %s", path, e.text);
}

/* What an earlier start found to be of no use. */
static void judge_put_aside(struct exam *x, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s.bad", x->config->state_dir, name);
	struct stat st;

	if (stat(path, &st) == 0)
		exam_find(
			x, SEVERITY_NOTE,
			"A start of sennitd could not understand it and put it aside: a disk that "
			"failed or ran full, or somebody edited it.",
			"Look at it if you want to know why, then delete it.",
			"there is %s, %lld days old", path,
			(long long)(sn_wall_ms() / 1000 - st.st_mtime) / 86400);
}

void check_state_snapshot(struct exam *x)
{
	_cleanup_free_ char *path = xasprintf("%s/snapshot.json", x->config->state_dir);
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = file_read(path, SNAPSHOT_LIMIT, &text, &len);

	judge_put_aside(x, "snapshot.json");
	judge_put_aside(x, "identity.json");
	if (r == 0)
		judge_stored_text(x, path, text, len);
	else if (r == -ENOENT || r == -ENOTDIR)
		exam_ok(x, "%s is not there: no mesh was known yet", path);
	else if (r == -EACCES && !x->root)
		exam_unseen(x, "%s: only root may read it", path);
	else
		exam_find(x, SEVERITY_FAULT,
			  "After a start sennitd has no mesh until the metadata service answers.",
			  "Look for a failing disk.", "%s cannot be read: %s", path,
			  sn_strerror(r));
}

/* --- the runtime files ----------------------------------------------------------------------- */

/* A socket's file that nobody listens on. */
static void judge_stale_socket(struct exam *x, const char *name, const char *whose)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", x->config->run_dir, name);

	if (unix_socket_look(path) != 0)
		return;
	finding_set_fix(exam_find(x, SEVERITY_NOTE,
				  "It was left by a process that was killed; a start does not "
				  "mind it, people who look for a running one do.",
				  "Nothing has to be done.",
				  "nobody listens on %s (%s is not running)", path, whose),
			FIX_REMOVE, path, NULL, 0);
}

static void judge_stale_record(struct exam *x)
{
	_cleanup_free_ char *path = xasprintf("%s/charon.json", x->config->run_dir);

	if (x->charon_pid || access(path, R_OK) < 0)
		return;
	finding_set_fix(exam_find(x, SEVERITY_NOTE,
				  "It was left by a charon that was killed or did not survive a "
				  "restart of the machine; a start of sennitd does not mind it.",
				  "Nothing has to be done.", "%s names a process that does not run",
				  path),
			FIX_REMOVE, path, NULL, 0);
}

/* Between two starts sennitd is away on purpose, before the first it was never there. */
static void judge_absence(struct exam *x)
{
	_cleanup_free_ char *path = xasprintf("%s/snapshot.json", x->config->state_dir);

	if (access(path, F_OK) < 0)
		exam_ok(x, "sennitd does not run and has not run here yet");
	else
		exam_find(x, SEVERITY_WARNING,
			  "Tunnels that stand go on, but nobody notices changes of the mesh, "
			  "repairs what breaks, or says who is sick.",
			  "systemctl start sennitd; if it does not stay, 'journalctl -u sennitd' "
			  "says why.",
			  "sennitd does not run (nobody answers in %s)", x->config->run_dir);
}

void check_runtime(struct exam *x)
{
	_cleanup_free_ char *path = xasprintf("%s/control.sock", x->config->run_dir);

	if (x->daemon_runs) {
		exam_ok(x, "sennitd runs");
		return;
	}
	if (unix_socket_look(path) == -EACCES) {
		exam_unseen(x, "%s: only root and the group sennit may ask sennitd", path);
		return;
	}
	judge_absence(x);
	judge_stale_socket(x, "control.sock", "sennitd");
	if (!x->charon_pid) {
		judge_stale_socket(x, "charon.vici", "charon");
		judge_stale_record(x);
	}
}
