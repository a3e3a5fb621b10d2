/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One context for the life of the daemon: making one parses the databases
 * of names in /etc. Each command reads the kernel's state anew (libnftables
 * checks the ruleset's generation), so what others changed is seen.
 */
#include "net/nft.h"

#include "base/strbuf.h"

#include <errno.h>
#include <nftables/libnftables.h>
#include <stdio.h>

struct nft {
	struct nft_ctx *ctx;
};

int nft_new(struct nft **ret, struct sn_error *e)
{
	struct nft *nft = xcalloc(1, sizeof(*nft));

	nft->ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!nft->ctx || nft_ctx_buffer_output(nft->ctx) || nft_ctx_buffer_error(nft->ctx)) {
		nft_free(nft);
		return sn_error_set(e, -ENOMEM, "libnftables cannot be started");
	}
	nft_ctx_output_set_flags(nft->ctx, NFT_CTX_OUTPUT_STATELESS);
	*ret = nft;
	return 0;
}

void nft_free(struct nft *nft)
{
	if (!nft)
		return;
	if (nft->ctx)
		nft_ctx_free(nft->ctx);
	free(nft);
}

/*
 * libnftables tells no errno, but text for people: of its several lines (the
 * words, the command, a row of ^^^) the first says what is wrong.
 */
static int run(struct nft *nft, const char *command, struct sn_error *e)
{
	const char *words;
	int r;

	errno = 0;
	r = nft_run_cmd_from_buffer(nft->ctx, command);
	words = nft_ctx_get_error_buffer(nft->ctx);
	if (r == 0)
		return 0;
	r = errno == EPERM || errno == ENOBUFS || errno == ENOMEM ? -errno : -EINVAL;
	return sn_error_set(e, r, "nftables: %.*s", (int)strcspn(words, "\n"), words);
}

/* "table inet sennit" as `list tables` prints it. */
static bool parse_table_line(const char *line, size_t len, struct object_nft *ret)
{
	char copy[64];
	char name[sizeof(ret->name)];

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, line, len);
	copy[len] = '\0';
	if (sscanf(copy, "table %7s %31s", ret->family, name) != 2 || !streq(name, NFT_TABLE_NAME))
		return false;
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	return true;
}

static int list_table(struct nft *nft, struct object_nft *table, struct sn_error *e)
{
	char command[80];
	int r;

	snprintf(command, sizeof(command), "list table %s %s", table->family, table->name);
	r = run(nft, command, e);
	if (r == 0)
		table->text = xstrdup(nft_ctx_get_output_buffer(nft->ctx));
	return r;
}

int nft_observe(struct nft *nft, struct object_set *ret, struct sn_error *e)
{
	_cleanup_free_ char *list = NULL;
	int r = run(nft, "list tables", e);

	if (r < 0)
		return r;
	/* the buffer is overwritten by the next command */
	list = xstrdup(nft_ctx_get_output_buffer(nft->ctx));
	for (const char *line = list; *line && r == 0; line += strspn(line, "\n")) {
		size_t len = strcspn(line, "\n");
		struct object_nft table = { 0 };

		if (parse_table_line(line, len, &table)) {
			object_set_add(ret, OBJECT_NFT)->nft = table;
			r = list_table(nft, &ret->o.v[ret->o.n - 1].nft, e);
		}
		line += len;
	}
	return r;
}

int nft_apply(struct nft *nft, const struct plan_step *step, struct sn_error *e)
{
	const struct object *o = step->verb == PLAN_DELETE ? step->found : step->wanted;
	_cleanup_strbuf_ struct strbuf command = STRBUF_INIT;

	if (!streq(o->nft.name, NFT_TABLE_NAME))
		return sn_error_set(e, -EPERM, "only tables named " NFT_TABLE_NAME " are ours");
	/* delete fails where there is none; after an add there always is one */
	strbuf_addf(&command, "add table %s %s\ndelete table %s %s\n", o->nft.family, o->nft.name,
		    o->nft.family, o->nft.name);
	if (step->verb != PLAN_DELETE)
		strbuf_adds(&command, o->nft.text);
	return run(nft, strbuf_str(&command), e);
}
