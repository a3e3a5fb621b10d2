/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What getopt_long(3) tells of a mistake: ':' for a value that is missing (because of the
 * ':' in shorts); else '?' and in optopt the val of a long option that takes no value, the
 * letter of an unknown short one, or 0 for a long one that is unknown or could be several.
 */
#include "base/options.h"

#include "base/nearest.h"

#include <errno.h>

/* "--name", without "=value". */
static char *name_of(const char *word)
{
	return xstrndup(word, strcspn(word, "="));
}

static int refuse_long(const char *word, const struct option *longs, struct sn_error *e)
{
	_cleanup_free_ char *name = name_of(word);
	struct nearest near = { .word = name + 2 };
	const struct option *first = NULL;

	for (const struct option *o = longs; o->name; o++) {
		if (first && sn_startswith(o->name, name + 2))
			return sn_error_set(e, -EINVAL, "'%s' could be '--%s' or '--%s'", name,
					    first->name, o->name);
		if (!first && sn_startswith(o->name, name + 2))
			first = o;
		nearest_offer(&near, o->name);
	}
	if (near.best)
		return sn_error_set(e, -EINVAL, "there is no option '%s'; did you mean '--%s'?",
				    name, near.best);
	return sn_error_set(e, -EINVAL, "there is no option '%s'", name);
}

int options_next(int argc, char **argv, const char *shorts, const struct option *longs,
		 struct sn_error *e)
{
	/* the element that getopt looks at now; within "-abc" optind stands still */
	int before = optind ? optind : 1;
	const char *word;
	int c;

	opterr = 0;
	c = getopt_long(argc, argv, shorts, longs, NULL);
	if (c != '?' && c != ':')
		return c;
	word = argv[optind > before ? optind - 1 : before];
	if (c == ':')
		sn_error_set(e, -EINVAL, "'%s' needs a value", word);
	else if (!sn_startswith(word, "--"))
		sn_error_set(e, -EINVAL, "there is no option '-%c'", optopt);
	else if (optopt)
		sn_error_set(e, -EINVAL, "'%.*s' takes no value", (int)strcspn(word, "="), word);
	else
		refuse_long(word, longs, e);
	return '?';
}
