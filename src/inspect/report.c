/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "inspect/report.h"

#include "base/file.h"
#include "inspect/redact.h"
#include "metadata/token.h"
#include "net/link.h"
#include "net/netlink.h"
#include "net/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

#define REPORT_VERSION 1
#define TEXT_LIMIT ((size_t)1 << 20)
/* charon cuts its log at 2 MB and more (ike/charon.h). */
#define LOG_LIMIT ((size_t)16 << 20)
#define LOG_LINES 200
#define OBJECTS_MAX 5000

/* --- the kernel's objects -------------------------------------------------------------- */

/* A list that is being filled, and the links that its lines name. */
struct listing {
	const struct link_table *links;
	json_t *list;
};

static void add_text(json_t *list, struct strbuf *text)
{
	if (json_array_size(list) < OBJECTS_MAX)
		json_array_append_new(list, json_from_text(strbuf_str(text)));
	strbuf_fini(text);
}

static const char *device_of(const struct listing *l, uint32_t index)
{
	const struct link_info *link = link_table_find(l->links, (int)index);

	return link ? link->o.name : "-";
}

static void add_address(struct strbuf *b, const char *word, const struct nlattr *attr, int family,
			int len)
{
	char text[INET6_ADDRSTRLEN];
	size_t size = family == AF_INET6 ? 16 : 4;

	if (attr && mnl_attr_get_payload_len(attr) >= size &&
	    inet_ntop(family, mnl_attr_get_payload(attr), text, sizeof(text))) {
		strbuf_addf(b, "%s%s", word, text);
		if (len >= 0)
			strbuf_addf(b, "/%d", len);
	}
}

static int on_address(const struct nlmsghdr *nlh, void *user)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a[IFA_FLAGS + 1];
	struct strbuf b = STRBUF_INIT;
	struct listing *l = user;

	if (nlh->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa))
		return 0;
	netlink_attrs(nlh, sizeof(*ifa), IFA_FLAGS, a);
	strbuf_addf(&b, "%s", device_of(l, ifa->ifa_index));
	add_address(&b, " ", a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS], ifa->ifa_family,
		    ifa->ifa_prefixlen);
	strbuf_addf(&b, " scope %u flags %#x", ifa->ifa_scope, netlink_attr_u32(a[IFA_FLAGS]));
	add_text(l->list, &b);
	return 0;
}

static int on_route(const struct nlmsghdr *nlh, void *user)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a[RTA_TABLE + 1];
	struct strbuf b = STRBUF_INIT;
	struct listing *l = user;

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm))
		return 0;
	netlink_attrs(nlh, sizeof(*rtm), RTA_TABLE, a);
	strbuf_addf(&b, "type %u", rtm->rtm_type);
	if (a[RTA_DST])
		add_address(&b, " ", a[RTA_DST], rtm->rtm_family, rtm->rtm_dst_len);
	else
		strbuf_adds(&b, " default");
	add_address(&b, " via ", a[RTA_GATEWAY], rtm->rtm_family, -1);
	if (a[RTA_OIF])
		strbuf_addf(&b, " dev %s", device_of(l, netlink_attr_u32(a[RTA_OIF])));
	add_address(&b, " src ", a[RTA_PREFSRC], rtm->rtm_family, -1);
	strbuf_addf(&b, " proto %u table %u metric %u", rtm->rtm_protocol,
		    netlink_attr_u32(a[RTA_TABLE]), netlink_attr_u32(a[RTA_PRIORITY]));
	add_text(l->list, &b);
	return 0;
}

static int on_rule(const struct nlmsghdr *nlh, void *user)
{
	const struct fib_rule_hdr *rule = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a[FRA_TABLE + 1];
	struct strbuf b = STRBUF_INIT;
	struct listing *l = user;

	if (nlh->nlmsg_type != RTM_NEWRULE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rule))
		return 0;
	netlink_attrs(nlh, sizeof(*rule), FRA_TABLE, a);
	strbuf_addf(&b, "priority %u", netlink_attr_u32(a[FRA_PRIORITY]));
	add_address(&b, " from ", a[FRA_SRC], rule->family, rule->src_len);
	add_address(&b, " to ", a[FRA_DST], rule->family, rule->dst_len);
	if (a[FRA_FWMARK])
		strbuf_addf(&b, " fwmark %#x", netlink_attr_u32(a[FRA_FWMARK]));
	strbuf_addf(&b, " action %u table %u family %u", rule->action,
		    netlink_attr_u32(a[FRA_TABLE]), rule->family);
	add_text(l->list, &b);
	return 0;
}

static json_t *list_of(struct netlink *nl, const struct link_table *links, uint16_t type,
		       size_t header, netlink_fn fn)
{
	struct listing l = { links, json_array() };
	union netlink_request req;
	struct sn_error e;

	netlink_begin(&req, type, NLM_F_DUMP, header);
	if (netlink_ask(nl, &req.h, fn, &l, &e) < 0)
		json_array_append_new(l.list, json_sprintf("not read: %s", e.text));
	return l.list;
}

static json_t *list_links(const struct link_table *links)
{
	json_t *list = json_array();

	array_foreach(&links->l, link)
		json_array_append_new(
			list, json_pack("{s:i, s:o, s:s, s:b, s:i, s:i, s:I, s:o}", "index",
					link->index, "name", json_from_text(link->o.name), "kind",
					link->kind, "up", link->o.up, "mtu", link->o.mtu, "master",
					link->master, "if_id", (json_int_t)link->o.if_id, "alias",
					json_from_text(link->o.alias)));
	return list;
}

static json_t *read_kernel(void)
{
	_cleanup_(netlink_freep) struct netlink *nl = NULL;
	_cleanup_link_table_ struct link_table links = { 0 };
	json_t *o = json_object(), *ruleset = NULL;
	struct sn_error e;

	if (netlink_new(NETLINK_ROUTE, &nl, &e) < 0 || link_table_read(nl, &links, &e) < 0) {
		json_object_set_new(o, "error", json_from_text(e.text));
		return o;
	}
	json_object_set_new(o, "links", list_links(&links));
	json_object_set_new(o, "addresses",
			    list_of(nl, &links, RTM_GETADDR, sizeof(struct ifaddrmsg), on_address));
	json_object_set_new(o, "routes",
			    list_of(nl, &links, RTM_GETROUTE, sizeof(struct rtmsg), on_route));
	json_object_set_new(o, "rules",
			    list_of(nl, &links, RTM_GETRULE, sizeof(struct fib_rule_hdr), on_rule));
	if (nft_read_ruleset(&ruleset, &e) < 0)
		ruleset = json_from_text(e.text);
	json_object_set_new(o, "nftables", ruleset);
	return o;
}

/* --- the rest ----------------------------------------------------------------------------- */

static json_t *file_as_text(const char *path)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = file_read(path, TEXT_LIMIT, &text, &len);

	return r < 0 ? json_sprintf("not read: %s", sn_strerror(r))
		     : json_from_text(text ? text : "");
}

/* The last lines; charon logs at level 1, which has no keys (ike/charon_conf.c). */
static json_t *tail_of_log(const struct config *config)
{
	_cleanup_free_ char *path = xasprintf("%s/charon.log", config->run_dir);
	_cleanup_free_ char *text = NULL;
	json_t *list = json_array();
	char *p, *save = NULL;
	size_t len, lines = 0;
	int r = file_read(path, LOG_LIMIT, &text, &len);

	if (r < 0) {
		json_array_append_new(list, json_sprintf("not read: %s", sn_strerror(r)));
		return list;
	}
	for (p = text + len; p > text && lines <= LOG_LINES; p--)
		lines += p[-1] == '\n';
	for (char *l = strtok_r(p, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		json_array_append_new(list, json_from_text(l));
	return list;
}

static json_t *read_config(const struct report_input *in)
{
	json_t *v = NULL;
	struct sn_error e;

	if (!in->config_text)
		return json_null();
	/* as JSON where it is: what looks like a secret is then known by its key */
	return json_parse(in->config_text, strlen(in->config_text), &v, &e) == 0
		       ? v
		       : json_from_text(in->config_text);
}

static json_t *read_environment(void)
{
	json_t *list = json_array();

	for (char **v = environ; *v; v++)
		if (sn_startswith(*v, "SENNIT_"))
			json_array_append_new(list, json_from_text(*v));
	return list;
}

static json_t *read_system(const struct report_input *in)
{
	char when[32] = "";
	time_t now = time(NULL);
	struct utsname u = { 0 };
	struct tm tm;

	uname(&u);
	if (gmtime_r(&now, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:o}", "time", when, "sennit",
			 in->version, "host", json_from_text(u.nodename), "kernel", u.release,
			 "kernel_version", u.version, "machine", u.machine, "os",
			 file_as_text("/etc/os-release"), "resolv.conf",
			 file_as_text("/etc/resolv.conf"));
}

static json_t *or_null(const json_t *v)
{
	return v ? json_deep_copy(v) : json_null();
}

static json_t *build(const struct report_input *in)
{
	_cleanup_free_ char *conf = xasprintf("%s/strongswan.conf", in->config->run_dir);
	json_t *o = json_object();

	json_object_set_new(o, "sennit_report", json_integer(REPORT_VERSION));
	json_object_set_new(o, "system", read_system(in));
	json_object_set_new(o, "doctor", doctor_result_to_json(in->result));
	json_object_set_new(o, "config", read_config(in));
	json_object_set_new(o, "environment", read_environment());
	json_object_set_new(o, "status", or_null(in->status));
	json_object_set_new(o, "plan", or_null(in->plan));
	json_object_set_new(o, "log_level",
			    or_null(json_object_get(json_object_get(in->status, "log"), "level")));
	json_object_set_new(o, "kernel", read_kernel());
	json_object_set_new(o, "strongswan.conf", file_as_text(conf));
	json_object_set_new(o, "charon.log", tail_of_log(in->config));
	return o;
}

static int check_place(const char *path, struct sn_error *e)
{
	struct stat st;

	/* the file is put in its place by rename(2): also in that of /dev/null */
	if (stat(path, &st) < 0 || S_ISREG(st.st_mode))
		return 0;
	return sn_error_set(e, -EEXIST,
			    "the report cannot be written to %s: it is there and is no regular "
			    "file; give --report the name of a new one",
			    path);
}

int report_write(const struct report_input *in, const char *path, struct sn_error *e)
{
	_cleanup_json_ json_t *raw = NULL, *clean = NULL;
	_cleanup_free_ char *text = NULL;
	char *known[2] = { NULL, NULL };
	struct sn_error ignored;
	int r = check_place(path, e);

	if (r < 0)
		return r;
	raw = build(in);
	if (in->config->metadata_token_file)
		token_read(in->config->metadata_token_file, &known[0], &ignored);
	clean = redact_json(raw, known);
	token_free(known[0]);
	text = json_dumps(clean, JSON_INDENT(1) | JSON_ENSURE_ASCII);
	sn_require(text);
	r = file_write_atomic(path, text, strlen(text), 0600);
	return r < 0 ? sn_error_set(e, r, "the report could not be written to %s: %s", path,
				    sn_strerror(r))
		     : 0;
}
