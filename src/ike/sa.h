/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What charon tells of its SAs, read into struct ike_sa. Pure.
 *
 * An SA is a peer's when its connection's name says so ("sennit-<peer>"): the
 * identity as list-sas prints it is no key (a keyid of 20 printable bytes
 * comes in hex), and charon gives an SA that name only when addresses and
 * claimed identity fit the connection. Half-open ones of a responder are
 * "(unnamed)" and nobody's.
 */
#pragma once

#include "ike/ike.h"
#include "ike/vici_codec.h"

#define SA_MAX_CHILDREN 64 /* of one IKE_SA; more are not read */

/*
 * A list-sa item. 0, or -ENOENT when it is not one of ours, or -EBADMSG when
 * it has no id or state. Free the result with sa_fini().
 */
int sa_parse(const struct vici_node *item, struct ike_sa *ret);
void sa_fini(struct ike_sa *sa);
/* By peer, then unique id; for qsort. */
int sa_cmp(const void *a, const void *b);
/* The same to whoever only asks which SAs stand: counters and ages do not count. */
bool sa_same(const struct ike_sa *a, const struct ike_sa *b);

/* "sennit-h2" -> "h2"; NULL when the name is not one of ours. */
const char *sa_peer_of(const char *ike_name);
/* Whom an ike-updown, child-updown, ike-rekey or child-rekey event is about; NULL: not of ours. */
const char *sa_event_peer(const struct vici_node *event);
/*
 * A log event that tells why a negotiation failed: charon's words, with the
 * peer in *ret_peer; NULL for every other line. Both borrowed from event.
 */
const char *sa_failure(const struct vici_node *event, const char **ret_peer);
/* A log event that tells of a probe that arrived (ike/arrivals.h): from whom. */
bool sa_probe(const struct vici_node *event, struct sn_addr *ret_from);
