/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * charon: the program on the disk, never run by us, and the process, asked by
 * vici. A version and a plugin's folder are found in the program's own texts.
 */
#include "inspect/look.h"

#include "base/file.h"
#include "ike/vici.h"
#include "inspect/apparmor.h"
#include "inspect/unix_socket.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* charon-systemd of Debian has 40 kB. */
#define PROGRAM_LIMIT ((size_t)16 << 20)
#define PROFILE_LIMIT ((size_t)1 << 20)
#define ANSWER_MS 2000
/* XFRM interfaces (if_id) and what else we ask by vici are there since. */
#define OLDEST_MAJOR 5
#define OLDEST_MINOR 8

static const char *const plugin_folders[] = {
	"/usr/lib/ipsec/plugins",        "/usr/lib/strongswan/plugins",  "/usr/lib64/ipsec/plugins",
	"/usr/lib64/strongswan/plugins", "/usr/local/lib/ipsec/plugins",
};
/* charon does without. */
static const char *const optional_plugins[] = { "aesni", "chapoly", "kdf", "random" };

/* --- the program ------------------------------------------------------------------------ */

/* "5.9.8" or "5.9.8rc1", standing alone between two NULs. */
static bool is_version(const char *s, size_t len)
{
	unsigned major, minor, patch;
	int end = 0;

	if (len < 5 || len > 16 || s[len] || !isdigit((unsigned char)s[0]))
		return false;
	return sscanf(s, "%1u.%2u.%3u%n", &major, &minor, &patch, &end) == 3 && major >= 4 &&
	       (s[end] == '\0' || strchr("drb", s[end]));
}

/* strongSwan's programs hold their version as a text; "" when it is not found. */
static void find_version(const char *path, char ret[static 20])
{
	_cleanup_free_ char *data = NULL;
	size_t size;

	ret[0] = '\0';
	if (file_read(path, PROGRAM_LIMIT, &data, &size) < 0)
		return;
	for (size_t i = 0; i < size; i += strlen(data + i) + 1) {
		size_t len = strlen(data + i);

		if (!is_version(data + i, len))
			continue;
		snprintf(ret, 20, "%s", data + i);
		return;
	}
}

static void judge_version(struct exam *x, const char *path, const char *version)
{
	unsigned major = 0, minor = 0;

	if (!version[0])
		exam_ok(x, "%s is there; its version is not told", path);
	else if (sscanf(version, "%u.%u", &major, &minor) == 2 &&
		 (major < OLDEST_MAJOR || (major == OLDEST_MAJOR && minor < OLDEST_MINOR)))
		exam_find(x, SEVERITY_FAULT,
			  "Before 5.8 strongSwan has no XFRM interfaces and not all that sennit "
			  "asks of it.",
			  "Install strongSwan 5.9 (Debian 12 has it).", "%s is strongSwan %s", path,
			  version);
	else
		exam_ok(x, "%s is strongSwan %s", path, version);
}

void check_charon_binary(struct exam *x)
{
	const char *path = x->config->charon;
	const char *why = "charon builds the tunnels: without it there are none.";
	char version[20];
	struct stat st;

	if (stat(path, &st) < 0) {
		exam_find(x, SEVERITY_FAULT, why,
			  "Install charon-systemd and libstrongswan-standard-plugins, "
			  "libstrongswan-extra-plugins, libcharon-extra-plugins (or set "
			  "ike.charon to where it is).",
			  "%s: %s", path, sn_strerror(-errno));
		return;
	}
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111)) {
		exam_find(x, SEVERITY_FAULT, why, "Set ike.charon to strongSwan's charon-systemd.",
			  "%s is not a program", path);
		return;
	}
	find_version(path, version);
	judge_version(x, path, version);
}

/* --- plugins ------------------------------------------------------------------------------ */

static bool is_optional(const char *plugin)
{
	for (size_t i = 0; i < SN_ARRAY_SIZE(optional_plugins); i++)
		if (streq(plugin, optional_plugins[i]))
			return true;
	return false;
}

static const char *find_plugin_folder(void)
{
	for (size_t i = 0; i < SN_ARRAY_SIZE(plugin_folders); i++)
		if (access(plugin_folders[i], F_OK) == 0)
			return plugin_folders[i];
	return NULL;
}

static void judge_plugin(struct exam *x, const char *folder, const char *plugin, size_t *missing)
{
	_cleanup_free_ char *path = xasprintf("%s/libstrongswan-%s.so", folder, plugin);
	bool extra = streq(plugin, "kernel-libipsec");

	if (access(path, F_OK) == 0 || is_optional(plugin))
		return;
	++*missing;
	exam_find(
		x, SEVERITY_FAULT,
		extra ? "It carries ESP in user space, which this host needs: no tunnel carries a "
			"packet without."
		      : "charon cannot do its work without it.",
		extra ? "Install libcharon-extra-plugins."
		      : "Install libstrongswan-standard-plugins, libstrongswan-extra-plugins and "
			"strongswan-swanctl (which has vici).",
		"charon's plugin %s is not installed (%s)", plugin, path);
}

/* The data plane says by name what charon is to load. */
void check_charon_plugins(struct exam *x)
{
	const char *folder = find_plugin_folder();
	const char *load = strstr(x->dataplane->charon_plugins, "load = ");
	_cleanup_free_ char *list = NULL;
	char *save = NULL;
	size_t missing = 0;

	if (access(x->config->charon, F_OK) < 0)
		return;
	if (!folder || !load) {
		exam_unseen(x, "the folder of charon's plugins is not where it is looked for (%s)",
			    plugin_folders[0]);
		return;
	}
	load += strlen("load = ");
	list = xstrndup(load, strcspn(load, "\n"));
	for (char *p = strtok_r(list, " ", &save); p; p = strtok_r(NULL, " ", &save))
		judge_plugin(x, folder, p, &missing);
	if (!missing)
		exam_ok(x, "the plugins of data plane %s are in %s", x->dataplane->name, folder);
}

/* --- AppArmor ------------------------------------------------------------------------------- */

/* /usr/sbin/charon-systemd has its rules in usr.sbin.charon-systemd. */
static void read_profile(const char *program, struct strbuf *ret)
{
	_cleanup_free_ char *name = xstrdup(program + 1);
	static const char *const folders[] = { "/etc/apparmor.d", "/etc/apparmor.d/local" };

	for (char *p = name; *p; p++)
		if (*p == '/')
			*p = '.';
	for (size_t i = 0; i < SN_ARRAY_SIZE(folders); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", folders[i], name);
		_cleanup_free_ char *text = NULL;
		size_t len;

		if (file_read(path, PROFILE_LIMIT, &text, &len) < 0)
			continue;
		strbuf_adds(ret, text);
		strbuf_addc(ret, '\n');
	}
}

/* The lines that the profile lacks for our files, as it would have them. */
static void lacking_rules(const struct exam *x, const char *profile, struct strbuf *ret)
{
	static const struct {
		const char *name, *permissions;
	} files[] = { { "strongswan.conf", "r" }, { "charon.vici", "rw" }, { "charon.log", "rw" } };

	for (size_t i = 0; i < SN_ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", x->config->run_dir, files[i].name);

		if (!apparmor_allows(profile, path, files[i].permissions))
			strbuf_addf(ret, "%s%s %s,", ret->len ? " " : "", path,
				    files[i].permissions);
	}
}

void check_charon_apparmor(struct exam *x)
{
	static const char file[] = "/sys/kernel/security/apparmor/profiles";
	_cleanup_strbuf_ struct strbuf rules = STRBUF_INIT, lacking = STRBUF_INIT;
	const char *program = x->config->charon;
	_cleanup_free_ char *profiles = NULL;
	struct finding *f;
	size_t len;
	int r = file_read(file, PROFILE_LIMIT, &profiles, &len);

	if (r == -ENOENT) {
		exam_ok(x, "AppArmor is not in force");
		return;
	}
	if (r < 0) {
		exam_unseen(x, "%s: %s", file, sn_strerror(r));
		return;
	}
	if (apparmor_mode_in(profiles, program) != APPARMOR_ENFORCE) {
		exam_ok(x, "AppArmor does not confine %s", program);
		return;
	}
	read_profile(program, &rules);
	lacking_rules(x, strbuf_str(&rules), &lacking);
	if (!lacking.len) {
		exam_ok(x, "AppArmor's profile of %s allows what it needs", program);
		return;
	}
	f = exam_find(x, SEVERITY_FAULT,
		      "charon is denied its configuration or its socket, and then ends at once or "
		      "answers nobody.",
		      NULL, "AppArmor's profile of %s is enforced and lacks: %s", program,
		      strbuf_str(&lacking));
	finding_set_next(
		f,
		"Add these rules to /etc/apparmor.d/local/%s (slashes as dots) and load it: "
		"apparmor_parser -r /etc/apparmor.d/usr.sbin.charon-systemd.",
		program + 1);
}

/* --- the process ------------------------------------------------------------------------------ */

struct asked {
	struct exam *x;
	struct exam_wait *wait;
	struct vici *vici;
	int pid;
};

static void say_silent(void *user)
{
	struct asked *a = user;

	exam_find(a->x, SEVERITY_FAULT,
		  "sennitd cannot tell it which tunnels to build, and starts no other while it "
		  "lives.",
		  "See charon.log in run_dir. If it stays: kill it ('kill -9' its pid), sennitd "
		  "starts a new one.",
		  "our charon (pid %d) does not answer on its socket", a->pid);
}

static void on_version(int result, const struct vici_node *reply, void *user)
{
	struct asked *a = user;
	const char *version = reply ? vici_text(reply, "version") : NULL;

	exam_resume(a->wait);
	if (result < 0)
		say_silent(a);
	else
		exam_ok(a->x, "our charon (pid %d) answers, version %s", a->pid,
			version ? version : "unknown");
	exam_done(a->wait);
}

static void end_asked(void *user)
{
	struct asked *a = user;

	vici_close(a->vici);
	free(a);
}

static void ask_charon(struct exam *x, const char *path)
{
	static const struct vici_handlers handlers;
	struct asked *a = xcalloc(1, sizeof(*a));
	struct sn_error e;

	a->x = x;
	a->pid = x->charon_pid;
	a->wait = exam_wait(x, say_silent, end_asked, a);
	if (vici_open(x->loop, path, NULL, &handlers, &a->vici, &e) < 0) {
		say_silent(a);
		exam_done(a->wait);
		return;
	}
	vici_call(a->vici, "version", NULL, NULL, ANSWER_MS, NULL, on_version, a);
}

void check_charon_process(struct exam *x)
{
	_cleanup_free_ char *path = xasprintf("%s/charon.vici", x->config->run_dir);
	int r = unix_socket_look(path);

	if (!x->charon_pid && x->daemon_runs)
		exam_find(x, SEVERITY_FAULT, "Without charon there are no tunnels.",
			  "'journalctl -u sennitd' and charon.log in run_dir say why it ended.",
			  "sennitd runs, but its charon does not");
	else if (!x->charon_pid)
		exam_ok(x, "no charon of ours runs");
	else if (r == -EACCES)
		exam_unseen(x, "charon's socket: only root may ask it");
	else
		ask_charon(x, path);
}
