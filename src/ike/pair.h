/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One pair of hosts, seen from one end: who initiates when, and which IKE_SA
 * and CHILD_SA stay when there are several (design §7). Pure: the list of SAs,
 * the time and a die go in, what to do comes out.
 *
 * Who initiates. The owner at once when there is no IKE_SA, and 1 s after one
 * stands without the wanted child. The other end waits 10 s + 0..5 s without
 * an IKE_SA in any state, and 3 s + 0..1 s for the child. Nobody while one is
 * CONNECTING: charon tries again by itself. But one that this end began before
 * the connection changed goes at once, for it tries the old address for ever; so does one
 * to an address that is not the connection's: DPD begins those anew that were made before.
 * Failures back off from 0.25 s to 5 s.
 *
 * Who stays. Of several standing IKE_SAs first those that carry the wanted
 * child (a tunnel is both), then those the owner initiated, then the lowest
 * initiator SPI: facts that both ends see alike, so they agree without a
 * word. Only the owner ends the others, and only when it saw them ESTABLISHED in two
 * looks PAIR_SETTLE_MS apart: a rekeying shows two for a moment. Children with
 * other names, and older ones of the wanted name, go the same way; the other
 * end helps when the owner did not for PAIR_HELP_MS.
 *
 * What the owner does not know of. It gave an IKE_SA up when nothing passed, or one that was
 * CONNECTING when the other end had just answered, and there it stands. DPD does not find that out
 * beside a new one: with the kernel's ESP both have the same policies, and charon takes their use
 * for a sign of life. So the other end ends one by which nothing came for PAIR_STRAY_MS while
 * something came by another.
 *
 * An address that this host does not have any more. What began there carries nothing in either
 * direction, and its DELETE would not get out: it is ended by force and counts as gone. This end,
 * which alone knows, initiates like an owner. The other end sees it by where the new one comes
 * from: those that it had with the old address are void, as those of a charon that ended.
 *
 * A charon that ended. The kernel may go on with its SAs, so nothing is ended before its place
 * is taken. Who has lost its own (an orphan) initiates like an owner, for the other end sees
 * SAs that stand and waits. There those that the dead charon made are void: they carry on as
 * long as there is nothing else, lose to every other, and are ended PAIR_VOID_MS after
 * another one stands whole, when both ends have long sent by that.
 */
#pragma once

#include "ike/ike.h"

#define PAIR_OTHER_WAIT_MS 10000
#define PAIR_OTHER_SPREAD_MS 5000
#define PAIR_CHILD_WAIT_MS 1000
#define PAIR_OTHER_CHILD_WAIT_MS 3000
#define PAIR_OTHER_CHILD_SPREAD_MS 1000
#define PAIR_BACKOFF_MIN_MS 250
#define PAIR_BACKOFF_MAX_MS 5000
#define PAIR_SETTLE_MS 500    /* a duplicate counts when it lasts */
#define PAIR_HELP_MS 5000     /* then the other end ends superfluous children too */
#define PAIR_STRAY_MS 10000   /* by it nothing came while it did by another: the owner has it not */
#define PAIR_FORCE_MS 3000    /* an SA asked to go is forced after this */
#define PAIR_HANG_MS 30000    /* a CONNECTING one is given up */
#define PAIR_NEEDLESS_MS 5000 /* a CONNECTING one beside a tunnel that stands */
#define PAIR_KICK_MS 1000     /* a CONNECTING one older than this does not stop a kick */
#define PAIR_STABLE_MS 2000   /* a tunnel that lives so long, alone, clears the back-off */
/*
 * As PAIR_SETTLE_MS, of one that the other end made later: its charon may be a new one, and the
 * heartbeat that says so on its way.
 */
#define PAIR_NEWER_MS 3000
#define PAIR_VOID_MS 3000          /* a void one beside another that is whole */
#define PAIR_VOID_ALONE_MS 20000   /* a void one in whose place nobody makes another */
#define PAIR_BOOTED_MS 30000       /* for so long all but the newest of several are void */
#define PAIR_BOOTED_MARGIN_MS 2000 /* one that is no older when the boot is told may be new */
#define PAIR_OTHER_TRIES 2         /* of the other end for the child, before it ends the IKE_SA */
#define PAIR_MAX_STEPS 16          /* at one look; what is left comes at the next */

/* What a pair remembers of an SA between two looks. */
struct pair_memory {
	uint32_t id;
	bool child;
	bool here;  /* in this look */
	bool stale; /* it began with a connection that is not wanted any more */
	int64_t first_seen;
	int64_t extra_since; /* 0: it is not superfluous */
	int64_t asked_at;    /* 0: nobody asked it to go */
	uint64_t packets_in; /* of an IKE_SA's children, and when that changed last */
	int64_t heard_at;
	int64_t void_since; /* the charon at its other end is no more; 0: it is not so */
	bool surely_void;   /* not only for being the older one of several */
};

struct pair {
	bool owner;
	char child[24];
	struct sn_addr remote; /* where this end initiates to; unset: not known */
	int64_t alone_since;   /* no IKE_SA at all; -1: there is one */
	int64_t bare_since;    /* an IKE_SA stands, the wanted child does not; -1: not so */
	int64_t whole_since;   /* the tunnel stands; -1: it does not */
	int64_t fresh_since;   /* and not by a void IKE_SA; -1: not so */
	int64_t patience_ms;   /* drawn when alone or bare began */
	int64_t retry_at;
	unsigned tries;
	int64_t booted_at; /* the peer's charon is a new one, since; 0: not so lately */
	int64_t old_seen;  /* when it was surely the old one */
	uint32_t broken;   /* news for the next look: see pair_broken(); 0: none */
	bool orphaned, kicked;
	ARRAY(struct pair_memory) memory;
};

enum pair_verb {
	PAIR_INITIATE, /* the wanted child, and the IKE_SA if need be */
	PAIR_END_IKE,  /* with a DELETE that is retransmitted */
	PAIR_END_IKE_FORCE,
	PAIR_END_CHILD,
};

struct pair_step {
	enum pair_verb verb;
	uint32_t id; /* of charon: IKE_SA or CHILD_SA; 0 with PAIR_INITIATE */
};

struct pair_steps {
	struct pair_step v[PAIR_MAX_STEPS];
	size_t n;
};

void pair_init(struct pair *p, bool owner, const char *child);
void pair_fini(struct pair *p);
/* Changes what is wanted; an SA that stands is kept until the new child does. */
void pair_set(struct pair *p, bool owner, const char *child);
/* Where the wanted connection leads to when this end initiates. */
void pair_set_remote(struct pair *p, const struct sn_addr *remote);
/* The connection was loaded anew: what failed with the old one says nothing. */
void pair_forgive(struct pair *p);
/* The peer's charon is a new process; at the time old_seen it was still the old one. */
void pair_booted(struct pair *p, int64_t old_seen, int64_t now);
/* Our own charon is, and there was a tunnel. Until one stands again. */
void pair_orphaned(struct pair *p);
/* This IKE_SA stands, but its packets go nowhere: at the next look it is ended, for a new one. */
void pair_broken(struct pair *p, uint32_t id);
/* At the next look no waiting and no back-off counts. */
void pair_kick(struct pair *p);

/*
 * Looks at all SAs of the peer, which were listed after every step of the look
 * before was carried out. dice: 32 random bits. Returns when to look again at
 * the latest (INT64_MAX: when something changes).
 */
int64_t pair_look(struct pair *p, const struct ike_sa *sas, size_t n, int64_t now, uint32_t dice,
		  struct pair_steps *ret);

/* It stood when its address was lost, and was not asked to go yet: the next look does. */
bool pair_strands(const struct pair *p, const struct ike_sa *sa);

/* ESTABLISHED or being rekeyed, and not stranded. */
bool pair_stands(const struct ike_sa *sa);
/* The newest installed child with this name, else (name NULL) any; NULL: none. */
const struct ike_child *pair_child(const struct ike_sa *sa, const char *name);
/* The IKE_SA that stays by the rule above; NULL: none stands. */
const struct ike_sa *pair_best(const struct pair *p, const struct ike_sa *sas, size_t n);
