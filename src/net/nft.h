/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftables tables of ours: those named NFT_TABLE_NAME, in any family. By
 * libnftables in this process, so that what is listed has the canonical form
 * of `nft -s list table` and can be compared as text.
 */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "plan/object.h"
#include "plan/plan.h"

#define NFT_TABLE_NAME "sennit"

struct nft;

/* Works for ever in the network namespace the calling thread is in now. 0 or a negative errno with
 * e. */
int nft_new(struct nft **ret, struct sn_error *e);
void nft_free(struct nft *nft);
SN_DEFINE_CLEANUP(struct nft *, nft_free);

/* 0, NETLINK_INTERRUPTED, or a negative errno with e. */
int nft_observe(struct nft *nft, struct object_set *ret, struct sn_error *e);
/*
 * 1 when others have rules for IP packets: a table of nftables, whatever is in it, or one of
 * legacy iptables. 0 when not, or a negative errno with e.
 */
int nft_has_others(struct nft *nft, struct sn_error *e);
/*
 * As net_apply(). A table is written in one transaction with the removal of
 * the old one: no packet sees the host without, and on error the old one stays.
 */
int nft_apply(struct nft *nft, const struct plan_step *step, struct sn_error *e);

/*
 * For docker_user.c: a command of nft(8)'s language, 0 or a negative errno with e; and
 * the NETLINK_NETFILTER socket.
 */
int nft_run(struct nft *nft, const char *command, struct sn_error *e);
struct netlink *nft_socket(struct nft *nft);

/*
 * In a context of its own, so in the network namespace that the calling thread is in. 0,
 * -EOPNOTSUPP with e when the kernel takes one of them not, or another negative errno with e.
 */
int nft_try(const char *commands, struct sn_error *e);

/*
 * Everybody's tables as libnftables-json(5), to look at; a new reference. Reads
 * every rule there is: not for the loop. 0 or a negative errno with e.
 */
int nft_read_ruleset(json_t **ret, struct sn_error *e);
