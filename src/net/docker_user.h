/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules of ours in Docker's chain DOCKER-USER (ip filter): the only ones in a
 * table of others. Docker sets the policy of FORWARD to drop, and has the packets
 * of bridges go through it (bridge-nf-call-iptables); the chain is where it
 * asks others to say what passes, and it never touches what is there.
 *
 * Each has a comment, which is its tag (struct object_rule); whose comment begins
 * with DOCKER_USER_TAG is ours. iptables-nft shows them as `-i snbr0 -j ACCEPT`.
 * A DOCKER-USER of legacy iptables is not seen here, and not changed.
 */
#pragma once

#include "net/netlink.h"
#include "net/nft.h"
#include "plan/object.h"
#include "plan/plan.h"

#define DOCKER_USER_TABLE "filter"
#define DOCKER_USER_CHAIN "DOCKER-USER"
#define DOCKER_USER_TAG "sennit:"

/* 1 when there is such a chain, 0 when not, or a negative errno with e. nl is nft_socket(). */
int docker_user_exists(struct netlink *nl, struct sn_error *e);
/* Adds our rules. 0, NETLINK_INTERRUPTED, or a negative errno with e. */
int docker_user_observe(struct netlink *nl, struct object_set *ret, struct sn_error *e);
/* As net_apply(); NET_NOT_READY while there is no such chain. */
int docker_user_apply(struct nft *nft, const struct plan_step *step, struct sn_error *e);
