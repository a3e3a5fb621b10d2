/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Only what differs from charon's defaults, each with its reason. Sections of one
 * name merge and the last value of a key wins, so the socket and the log come after
 * the data plane's lines: nothing there can move them or raise a log level.
 */
#include "ike/charon_conf.h"

#include <errno.h>
#include <sys/un.h>

/*
 * Load: a mesh has up to 500 hosts and for a moment up to two half-open IKE_SAs a
 * pair, possibly all behind one address; cookies and the block begin above that
 * (a cookie threshold of 0 is not "off").
 *
 * Retransmission: a request is sent at 0, 1, 2.5 and 4.5 s and given up at 6.5 s. An
 * initiator with keyingtries=0 begins anew at once, so a peer that returns is asked within
 * 2 s (the limit; without it the last gap is 3.4 s). A responder forgets a
 * half-open IKE_SA soon after its initiator has given it up.
 */
static const char settings_text[] =
	"\tthreads = 16\n"
	"\tikesa_table_size = 64\n"
	"\tikesa_table_segments = 4\n"
	"\tblock_threshold = 1100\n"
	"\tcookie_threshold = 1000\n"
	"\tcookie_threshold_ip = 1000\n"
	"\tretransmit_tries = 3\n"
	"\tretransmit_timeout = 1.0\n"
	"\tretransmit_base = 1.5\n"
	"\tretransmit_limit = 2\n"
	"\thalf_open_timeout = 10\n"
	/* a tunnel is an IKE_SA and its child: one without the other carries nothing */
	"\tclose_ike_on_child_failure = yes\n"
	"\tmake_before_break = yes\n"
	/* nobody sends us elsewhere, and we hand out no addresses */
	"\tfollow_redirects = no\n"
	"\tinstall_virtual_ip = no\n"
	/*
	 * Else each address that comes or goes on this host, a new container's veth has one, makes
	 * charon look up a route for every IKE_SA, and begin those anew that have no fixed local
	 * address. What an address of ours that is gone means, the caller says.
	 */
	"\tplugins {\n"
	"\t\tkernel-netlink {\n"
	"\t\t\troam_events = no\n"
	"\t\t}\n"
	"\t}\n";

static const char log_text[] = "\t\t\ttime_format = \"%Y-%m-%dT%H:%M:%S\"\n"
			       "\t\t\ttime_add_ms = yes\n"
			       "\t\t\tike_name = yes\n"
			       "\t\t\tappend = yes\n"
			       "\t\t\tflush_line = yes\n"
			       /* level 3 shows raw messages, level 4 keys: never above 2 */
			       "\t\t\tdefault = 1\n";

/* In a quoted value these end it, begin an escape or refer to a variable. */
static bool is_plain_path(const char *path)
{
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f || strchr("\"\\{}#$", *p))
			return false;
	return path[0] == '/';
}

int charon_conf_write(const struct charon_settings *settings, struct strbuf *ret,
		      struct sn_error *e)
{
	const char *run_dir = settings->run_dir;

	if (!is_plain_path(run_dir))
		return sn_error_set(
			e, -EINVAL,
			"%s: must be absolute, without control characters and \" \\ { } # $",
			run_dir);
	if (strlen(run_dir) + sizeof("/charon.vici") > sizeof(((struct sockaddr_un *)0)->sun_path))
		return sn_error_set(e, -ENAMETOOLONG, "%s: too long for a Unix socket in it",
				    run_dir);
	strbuf_addf(ret,
		    CHARON_CONF_FIRST_LINE "charon-systemd {\n"
					   "%s"
					   "%s\n"
					   "\tplugins {\n"
					   "\t\tvici {\n"
					   "\t\t\tsocket = \"unix://%s/charon.vici\"\n"
					   "\t\t}\n"
					   "\t}\n"
					   "\tfilelog {\n"
					   "\t\tsennit {\n"
					   "\t\t\tpath = \"%s/charon.log\"\n"
					   "%s"
					   "\t\t}\n"
					   "\t}\n"
					   "\tjournal {\n"
					   "\t\tdefault = -1\n"
					   "\t}\n"
					   "}\n",
		    settings_text, settings->plugins, run_dir, run_dir, log_text);
	return 0;
}
