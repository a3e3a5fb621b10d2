/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A word is a port when it is a number, a range, a list of them, or the name of one
 * of the two ports; any other is a host. So several of both may be given.
 */
#include "options.h"

#include "base/options.h"
#include "base/strbuf.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#define MAX_WAIT_S 300
#define MAX_INTERVAL_S 86400
#define MAX_COUNT 1000000
#define INTERVAL_DEFAULT_MS 200 /* of -c without -i */

static const char usage[] =
	"usage: sennit-probe [OPTION]... HOST... [PORT...]\n"
	"\n"
	"Asks UDP ports whether an IKE daemon answers there, by a message that every one\n"
	"answers and none keeps. Ports: 500 and 4500, or such as 500 4500 600-610.\n"
	"\n"
	"  -v, -q       say what it means and what to do; say nothing\n"
	"  -w S         wait S seconds for an answer, 4; three tries in that time\n"
	"  -c N, -i S   N rounds of one try: loss, round trip; one every S seconds, 0.2\n"
	"  -s ADDR, -p PORT  leave from there; any port will do, beside a daemon, too\n"
	"  -4, -6, -n   IPv4 only, IPv6 only, no names. -u, -z: as with nc, always so\n"
	"  --full       a whole IKE_SA_INIT: NAT, proposals. Leaves a half-open SA there\n"
	"               for 30 s, so once a minute at most\n"
	"  --mtu        find the path MTU\n"
	"  --from HOST  ask sennitd of HOST (HOST:PORT, 8111) what it sees of us\n"
	"  --rate N     datagrams a second, 50; at most 1000\n"
	"  --json       one array with all that was seen\n"
	"\n"
	"Exit code: 0 an IKE daemon answered everywhere, 1 not, 2 wrong usage.\n"
	"\n"
	"Examples:\n"
	"  sennit-probe -v 192.0.2.12              both ports, in words\n"
	"  sennit-probe -u -z -v h2 500 4500       as nc would be asked\n"
	"  sennit-probe -v --from h2 h2            which way is closed\n";

enum { OPT_FULL = 256, OPT_MTU, OPT_FROM, OPT_RATE, OPT_JSON };

static const char shorts[] = ":46nuvzqw:c:i:s:p:hV";
static const struct option longs[] = {
	{ "verbose", no_argument, NULL, 'v' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "full", no_argument, NULL, OPT_FULL },
	{ "mtu", no_argument, NULL, OPT_MTU },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

unsigned options_rounds(const struct options *o)
{
	if (o->count)
		return o->count;
	return o->interval_ms >= 0 ? UINT_MAX : 1;
}

static int fail(const char *fmt, ...) SN_PRINTF(1, 2);
static int fail(const char *fmt, ...)
{
	_cleanup_strbuf_ struct strbuf b = STRBUF_INIT;
	_cleanup_free_ char *text = NULL;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	sn_require(n >= 0);
	/* words come from lists of hosts, too, which others may have written */
	strbuf_add_escaped(&b, text);
	fprintf(stderr, "sennit-probe: %s\n'sennit-probe --help' says how it is used\n",
		strbuf_str(&b));
	return -EINVAL;
}

/* --- values ----------------------------------------------------------------- */

static int parse_number(const char *what, const char *text, unsigned min, unsigned max,
			unsigned *ret)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || v < min || v > max)
		return fail("%s %s: not a number from %u to %u", what, text, min, max);
	*ret = (unsigned)v;
	return 0;
}

static int parse_seconds(const char *what, const char *text, double min, double max,
			 int64_t *ret_ms)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !(v >= min) || !(v <= max))
		return fail("%s %s: not seconds from %g to %g", what, text, min, max);
	*ret_ms = (int64_t)(v * 1000);
	return 0;
}

static int parse_source_port(const char *text, struct options *o)
{
	unsigned v;

	if (parse_number("-p", text, 1, UINT16_MAX, &v) < 0)
		return -EINVAL;
	o->prober.source_port = (uint16_t)v;
	return 0;
}

static int parse_source(const char *text, struct options *o)
{
	if (sn_addr_parse(text, &o->prober.source) < 0)
		return fail("-s %s: neither an IPv4 nor an IPv6 address", text);
	return 0;
}

/* --- words ------------------------------------------------------------------ */

/* "500", "500-510", "500,4500". */
static bool looks_like_ports(const char *word)
{
	return word[0] >= '0' && word[0] <= '9' && word[strspn(word, "0123456789-,")] == '\0';
}

/* A number at *text, which is moved behind it; what is no port gives 0. */
static unsigned take_port(const char **text)
{
	char *end;
	unsigned long v = **text >= '0' && **text <= '9' ? strtoul(*text, &end, 10) : 0;

	if (v == 0 || v > UINT16_MAX)
		return 0;
	*text = end;
	return (unsigned)v;
}

/* Up to the end or a comma. */
static int add_range(struct options *o, const char *text)
{
	const char *at = text;
	unsigned first = take_port(&at), last = first, total = 0;

	if (first && *at == '-') {
		at++;
		last = take_port(&at);
	}
	if (first == 0 || first > last || (*at && *at != ','))
		return fail("%s: not a port from 1 to 65535, nor a range of them", text);
	*array_add(&o->ports) = (struct port_range){ (uint16_t)first, (uint16_t)last };
	array_foreach(&o->ports, r)
		total += r->last - r->first + 1u;
	if (total > MAX_PORTS)
		return fail("%s: more than %u ports of a host", text, MAX_PORTS);
	return 0;
}

static int add_ports(struct options *o, const char *word)
{
	const char *comma = word;

	do {
		if (add_range(o, comma) < 0)
			return -EINVAL;
		comma = strchr(comma, ',');
	} while (comma && *++comma);
	return 0;
}

static int add_word(struct options *o, const char *word)
{
	if (looks_like_ports(word))
		return add_ports(o, word);
	if (streq(word, "isakmp"))
		return add_range(o, "500");
	if (streq(word, "ipsec-nat-t"))
		return add_range(o, "4500");
	if (*word == '\0')
		return fail("an empty word is no host");
	if (o->hosts.n == MAX_HOSTS)
		return fail("%s: more than %u hosts", word, MAX_HOSTS);
	*array_add(&o->hosts) = word;
	return 0;
}

/* --- the line --------------------------------------------------------------- */

/* 0, or 1: no flag. */
static int take_flag(int option, struct options *o)
{
	switch (option) {
	case 'v':
		o->verbose = true;
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	case 'n':
		o->numeric = true;
		return 0;
	case '4':
		o->family = AF_INET;
		return 0;
	case '6':
		o->family = AF_INET6;
		return 0;
	case OPT_FULL:
		o->full = true;
		return 0;
	case OPT_MTU:
		o->mtu = true;
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case 'u': /* always so */
	case 'z':
		return 0;
	default:
		return 1;
	}
}

static int take_value(int option, const char *value, struct options *o)
{
	switch (option) {
	case 'w':
		return parse_seconds("-w", value, 0.1, MAX_WAIT_S, &o->wait_ms);
	case 'i':
		return parse_seconds("-i", value, 0, MAX_INTERVAL_S, &o->interval_ms);
	case 'c':
		return parse_number("-c", value, 1, MAX_COUNT, &o->count);
	case 's':
		return parse_source(value, o);
	case 'p':
		return parse_source_port(value, o);
	case OPT_RATE:
		return parse_number("--rate", value, 1, IKE_RATE_MAX, &o->prober.rate);
	default:
		o->from = value;
		return 0;
	}
}

static int take(int option, struct options *o, const struct sn_error *e)
{
	if (option == 'h' || option == 'V') {
		fputs(option == 'h' ? usage : "sennit-probe " SENNIT_VERSION "\n", stdout);
		return 1;
	}
	if (option == '?' && streq(e->text, "there is no option '-b'"))
		return fail("-b: broadcast addresses are never asked");
	if (option == '?')
		return fail("%s", e->text);
	return take_flag(option, o) == 0 ? 0 : take_value(option, optarg, o);
}

static int complete(struct options *o)
{
	if (o->hosts.n == 0 && o->ports.n > 0)
		return fail("no host is given, only ports");
	if (o->hosts.n == 0)
		return fail("no host is given");
	if (o->full && options_rounds(o) > 1)
		return fail("--full asks once a minute at most: not with -c or -i");
	if (o->ports.n == 0 && (add_range(o, "500") < 0 || add_range(o, "4500") < 0))
		return -EINVAL;
	if (o->interval_ms < 0 && o->count > 1)
		o->interval_ms = INTERVAL_DEFAULT_MS;
	return 0;
}

int options_parse(int argc, char **argv, struct options *o)
{
	struct sn_error e;
	int option;

	o->interval_ms = -1;
	while ((option = options_next(argc, argv, shorts, longs, &e)) != -1) {
		int r = take(option, o, &e);

		if (r != 0)
			return r;
	}
	for (int i = optind; i < argc; i++)
		if (add_word(o, argv[i]) < 0)
			return -EINVAL;
	return complete(o);
}

void options_fini(struct options *o)
{
	array_free(&o->hosts);
	array_free(&o->ports);
}
