/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/nearest.h"

#include <ctype.h>
#include <stdio.h>

/* A beginning is as good as one wrong letter, for each letter that is missing a little worse. */
#define COST_OF_LETTER 16u

static int fold(char c)
{
	return c == '_' ? '-' : tolower((unsigned char)c);
}

/* Number of edits between two words of at most NEAREST_MAX bytes. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned rows[3][NEAREST_MAX + 1];

	for (size_t j = 0; j <= nb; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned *now = rows[i % 3], *last = rows[(i - 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			bool same = fold(a[i - 1]) == fold(b[j - 1]);

			now[j] = SN_MIN(SN_MIN(last[j], now[j - 1]) + 1, last[j - 1] + !same);
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
			    fold(a[i - 2]) == fold(b[j - 1]))
				now[j] = SN_MIN(now[j], rows[(i - 2) % 3][j - 2] + 1);
		}
	}
	return rows[na % 3][nb];
}

static bool begins(const char *word, size_t n, const char *known, size_t known_len)
{
	if (n < 2 || n > known_len)
		return false;
	for (size_t i = 0; i < n; i++)
		if (fold(word[i]) != fold(known[i]))
			return false;
	return true;
}

void nearest_offer(struct nearest *n, const char *known)
{
	size_t a = strlen(n->word), b = strlen(known);
	unsigned edits, cost;

	if (a == 0 || a > NEAREST_MAX || b > NEAREST_MAX)
		return;
	edits = distance(n->word, a, known, b);
	cost = edits * COST_OF_LETTER;
	if (begins(n->word, a, known, b))
		cost = SN_MIN(cost, COST_OF_LETTER + (unsigned)(b - a));
	else if (edits > SN_MAX(a / 3, (size_t)1) || edits >= a)
		return;
	if (n->best && cost >= n->cost)
		return;
	n->best = known;
	n->cost = cost;
}

const char *nearest_hint(const struct nearest *n, char ret[static NEAREST_HINT_SIZE])
{
	ret[0] = '\0';
	if (n->best)
		snprintf(ret, NEAREST_HINT_SIZE, "; did you mean '%s'?", n->best);
	return ret;
}
