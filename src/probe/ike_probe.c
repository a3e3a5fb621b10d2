/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Written and read by hand: the messages are few and short. The reader trusts
 * no length; a payload chain that does not fit its message ends the reading, what
 * was read until then counts.
 */
#include "probe/ike_probe.h"

#include "probe/sha1.h"

#include <stdio.h>

_Static_assert(SHA1_SIZE == IKE_NAT_HASH_SIZE, "NAT detection is by SHA-1");

#define VERSION_NONE 0x30
#define VERSION_2 0x20
#define EXCHANGE_SA_INIT 34
#define FLAG_INITIATOR 0x08

/* payload types */
#define PAYLOAD_NONE 0
#define PAYLOAD_V1_NOTIFY 11
#define PAYLOAD_SA 33
#define PAYLOAD_KE 34
#define PAYLOAD_NONCE 40
#define PAYLOAD_NOTIFY 41
#define PAYLOAD_VENDOR 43

#define N_SOURCE 16388
#define N_DESTINATION 16389
#define N_FRAGMENTATION 16430
/* from here on a notify is no error (RFC 7296, 3.10.1) */
#define N_STATUS 16384

/* transform types and what is offered of them (RFC 7296, 3.3.2; RFC 8031, 7634, 5282) */
enum { T_ENCR = 1, T_PRF = 2, T_INTEG = 3, T_GROUP = 4, T_TYPES = 5 };
#define ENCR_AES_CBC 12
#define GROUP_25519 31
#define GROUP_25519_SIZE 32
#define NONCE_SIZE 32
#define ATTRIBUTE_KEY_LENGTH 0x800e
#define PAYLOADS_MAX 32

/* --- names ----------------------------------------------------------------- */

struct name {
	uint16_t number;
	const char *text;
};

static const struct name notifies[] = {
	{ 1, "UNSUPPORTED_CRITICAL_PAYLOAD" },
	{ 4, "INVALID_IKE_SPI" },
	{ IKE_N_INVALID_MAJOR_VERSION, "INVALID_MAJOR_VERSION" },
	{ 7, "INVALID_SYNTAX" },
	{ 9, "INVALID_MESSAGE_ID" },
	{ 11, "INVALID_SPI" },
	{ IKE_N_NO_PROPOSAL_CHOSEN, "NO_PROPOSAL_CHOSEN" },
	{ IKE_N_INVALID_KE_PAYLOAD, "INVALID_KE_PAYLOAD" },
	{ 24, "AUTHENTICATION_FAILED" },
	{ 43, "TEMPORARY_FAILURE" },
	{ IKE_N_COOKIE, "COOKIE" },
	{ IKE_N_REDIRECT, "REDIRECT" },
};

static const struct name v1_notifies[] = {
	{ 1, "INVALID-PAYLOAD-TYPE" },     { 4, "INVALID-COOKIE" },
	{ 5, "INVALID-MAJOR-VERSION" },    { 6, "INVALID-MINOR-VERSION" },
	{ 7, "INVALID-EXCHANGE-TYPE" },    { 8, "INVALID-FLAGS" },
	{ 9, "INVALID-MESSAGE-ID" },       { 14, "NO-PROPOSAL-CHOSEN" },
	{ 16, "PAYLOAD-MALFORMED" },       { 29, "UNSUPPORTED-EXCHANGE-TYPE" },
	{ 30, "UNEQUAL-PAYLOAD-LENGTHS" },
};

static const struct name ciphers[] = {
	{ 3, "3DES_CBC" },      { ENCR_AES_CBC, "AES_CBC" }, { 13, "AES_CTR" },
	{ 18, "AES_GCM_8" },    { 19, "AES_GCM_12" },        { 20, "AES_GCM_16" },
	{ 23, "CAMELLIA_CBC" }, { 28, "CHACHA20_POLY1305" },
};

static const struct name prfs[] = {
	{ 1, "PRF_HMAC_MD5" },      { 2, "PRF_HMAC_SHA1" },     { 4, "PRF_AES128_XCBC" },
	{ 5, "PRF_HMAC_SHA2_256" }, { 6, "PRF_HMAC_SHA2_384" }, { 7, "PRF_HMAC_SHA2_512" },
	{ 8, "PRF_AES128_CMAC" },
};

static const struct name integrities[] = {
	{ 1, "HMAC_MD5_96" },        { 2, "HMAC_SHA1_96" },       { 5, "AES_XCBC_96" },
	{ 12, "HMAC_SHA2_256_128" }, { 13, "HMAC_SHA2_384_192" }, { 14, "HMAC_SHA2_512_256" },
};

static const struct name groups[] = {
	{ 2, "MODP_1024" },
	{ 5, "MODP_1536" },
	{ 14, "MODP_2048" },
	{ 15, "MODP_3072" },
	{ 16, "MODP_4096" },
	{ 17, "MODP_6144" },
	{ 18, "MODP_8192" },
	{ 19, "ECP_256" },
	{ 20, "ECP_384" },
	{ 21, "ECP_521" },
	{ GROUP_25519, "CURVE_25519" },
	{ 32, "CURVE_448" },
};

static const char *find_name(const struct name *table, size_t n, uint16_t number)
{
	for (size_t i = 0; i < n; i++)
		if (table[i].number == number)
			return table[i].text;
	return NULL;
}

const char *ike_notify_name(uint16_t type, bool v1)
{
	return v1 ? find_name(v1_notifies, SN_ARRAY_SIZE(v1_notifies), type)
		  : find_name(notifies, SN_ARRAY_SIZE(notifies), type);
}

const char *ike_group_name(uint16_t group)
{
	return find_name(groups, SN_ARRAY_SIZE(groups), group);
}

static const char *transform_name(unsigned type, uint16_t id)
{
	switch (type) {
	case T_ENCR:
		return find_name(ciphers, SN_ARRAY_SIZE(ciphers), id);
	case T_PRF:
		return find_name(prfs, SN_ARRAY_SIZE(prfs), id);
	case T_INTEG:
		return find_name(integrities, SN_ARRAY_SIZE(integrities), id);
	case T_GROUP:
		return ike_group_name(id);
	default:
		return NULL;
	}
}

/* --- writing --------------------------------------------------------------- */

static void put16(uint8_t *at, size_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, size_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v);
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

void ike_probe_spi(uint8_t ret[static IKE_SPI_SIZE])
{
	do
		sn_random(ret, IKE_SPI_SIZE);
	while (get32(ret) == 0); /* it would be taken for a marker */
}

/* Without length. buf is zeroed up to its end. */
static void put_header(uint8_t *buf, const uint8_t *spi, uint8_t next, uint8_t version)
{
	memset(buf, 0, IKE_HEADER_SIZE);
	memcpy(buf, spi, IKE_SPI_SIZE);
	buf[16] = next;
	buf[17] = version;
	buf[18] = EXCHANGE_SA_INIT;
	buf[19] = FLAG_INITIATOR;
}

size_t ike_probe_write(const uint8_t spi[static IKE_SPI_SIZE], bool marker, size_t size,
		       uint8_t *buf)
{
	size_t before = marker ? IKE_MARKER_SIZE : 0;
	size_t len = SN_MAX(size, before + IKE_HEADER_SIZE);

	sn_require(len <= IKE_PROBE_MAX);
	memset(buf, 0, len);
	put_header(buf + before, spi, PAYLOAD_NONE, VERSION_NONE);
	put32(buf + before + 24, len - before);
	return len;
}

void ike_nat_hash(const uint8_t spi_i[static IKE_SPI_SIZE],
		  const uint8_t spi_r[static IKE_SPI_SIZE], const struct sn_addr *addr,
		  uint16_t port, uint8_t ret[static IKE_NAT_HASH_SIZE])
{
	uint8_t data[2 * IKE_SPI_SIZE + 16 + 2];
	size_t n = sn_addr_size(addr);

	memcpy(data, spi_i, IKE_SPI_SIZE);
	memcpy(data + IKE_SPI_SIZE, spi_r, IKE_SPI_SIZE);
	memcpy(data + 2 * (size_t)IKE_SPI_SIZE, addr->bytes, n);
	put16(data + 2 * (size_t)IKE_SPI_SIZE + n, port);
	sha1(data, 2 * (size_t)IKE_SPI_SIZE + n + 2, ret);
}

/* A message that grows; the type of each payload stands in the one before it. */
struct writer {
	uint8_t *buf; /* of IKE_INIT_MAX bytes */
	size_t len;
	size_t next; /* where the type of the next payload goes */
};

static uint8_t *grow(struct writer *w, size_t n)
{
	uint8_t *at = w->buf + w->len;

	sn_require(w->len + n <= IKE_INIT_MAX);
	memset(at, 0, n);
	w->len += n;
	return at;
}

/* Its header; returns where it begins, for end_payload(). */
static size_t begin_payload(struct writer *w, uint8_t type)
{
	size_t begin = w->len;

	w->buf[w->next] = type;
	grow(w, 4);
	w->next = begin;
	return begin;
}

static void end_payload(struct writer *w, size_t begin)
{
	put16(w->buf + begin + 2, w->len - begin);
}

struct offer {
	uint8_t type;
	uint16_t id;
	uint16_t key_bits; /* 0: has none */
};

/* AEAD ciphers do not go into one proposal with others (RFC 7296, 3.3). */
static const struct offer modern[] = {
	{ T_ENCR, 20, 256 }, { T_ENCR, 20, 128 }, { T_ENCR, 28, 0 }, { T_PRF, 5, 0 },
	{ T_PRF, 6, 0 },     { T_PRF, 7, 0 },     { T_PRF, 2, 0 },   { T_GROUP, GROUP_25519, 0 },
	{ T_GROUP, 19, 0 },  { T_GROUP, 14, 0 },
};
static const struct offer classic[] = {
	{ T_ENCR, ENCR_AES_CBC, 256 },
	{ T_ENCR, ENCR_AES_CBC, 128 },
	{ T_PRF, 5, 0 },
	{ T_PRF, 7, 0 },
	{ T_PRF, 2, 0 },
	{ T_INTEG, 12, 0 },
	{ T_INTEG, 14, 0 },
	{ T_INTEG, 2, 0 },
	{ T_GROUP, GROUP_25519, 0 },
	{ T_GROUP, 19, 0 },
	{ T_GROUP, 14, 0 },
};

static void put_proposal(struct writer *w, uint8_t number, bool last, const struct offer *offers,
			 size_t n)
{
	size_t begin = w->len;
	uint8_t *p = grow(w, 8);

	p[0] = last ? 0 : 2;
	p[4] = number;
	p[5] = 1; /* IKE */
	p[7] = (uint8_t)n;
	for (size_t i = 0; i < n; i++) {
		size_t size = offers[i].key_bits ? 12 : 8;
		uint8_t *t = grow(w, size);

		t[0] = i + 1 < n ? 3 : 0;
		put16(t + 2, size);
		t[4] = offers[i].type;
		put16(t + 6, offers[i].id);
		if (offers[i].key_bits) {
			put16(t + 8, ATTRIBUTE_KEY_LENGTH);
			put16(t + 10, offers[i].key_bits);
		}
	}
	put16(w->buf + begin + 2, w->len - begin);
}

static void put_proposals(struct writer *w)
{
	size_t begin = begin_payload(w, PAYLOAD_SA);

	put_proposal(w, 1, false, modern, SN_ARRAY_SIZE(modern));
	put_proposal(w, 2, true, classic, SN_ARRAY_SIZE(classic));
	end_payload(w, begin);
}

/* Any 32 bytes are a public value of X25519 (RFC 7748, 5). Nobody will use the secret. */
static void put_key_exchange(struct writer *w)
{
	size_t begin = begin_payload(w, PAYLOAD_KE);

	put16(grow(w, 4), GROUP_25519);
	sn_random(grow(w, GROUP_25519_SIZE), GROUP_25519_SIZE);
	end_payload(w, begin);
}

static void put_nonce(struct writer *w)
{
	size_t begin = begin_payload(w, PAYLOAD_NONCE);

	sn_random(grow(w, NONCE_SIZE), NONCE_SIZE);
	end_payload(w, begin);
}

static void put_notify(struct writer *w, uint16_t type, const void *data, size_t len)
{
	size_t begin = begin_payload(w, PAYLOAD_NOTIFY);

	put16(grow(w, 4) + 2, type);
	if (len)
		memcpy(grow(w, len), data, len);
	end_payload(w, begin);
}

static void put_nat(struct writer *w, uint16_t type, const uint8_t *spi,
		    const struct ike_endpoint *end)
{
	static const uint8_t no_spi[IKE_SPI_SIZE];
	uint8_t hash[IKE_NAT_HASH_SIZE];

	ike_nat_hash(spi, no_spi, &end->addr, end->port, hash);
	put_notify(w, type, hash, sizeof(hash));
}

size_t ike_init_write(const uint8_t spi[static IKE_SPI_SIZE], bool marker,
		      const struct ike_endpoint *local, const struct ike_endpoint *remote,
		      uint8_t *buf)
{
	size_t before = marker ? IKE_MARKER_SIZE : 0;
	struct writer w = { .buf = buf, .next = before + 16 };
	uint8_t *header;

	grow(&w, before);
	header = grow(&w, IKE_HEADER_SIZE);
	put_header(header, spi, PAYLOAD_NONE, VERSION_2);
	put_proposals(&w);
	put_key_exchange(&w);
	put_nonce(&w);
	put_nat(&w, N_SOURCE, spi, local);
	put_nat(&w, N_DESTINATION, spi, remote);
	put_notify(&w, N_FRAGMENTATION, NULL, 0);
	put32(header + 24, w.len - before);
	return w.len;
}

/* --- reading --------------------------------------------------------------- */

static bool has_marker(const uint8_t *data, size_t len)
{
	return len >= IKE_MARKER_SIZE && get32(data) == 0;
}

const uint8_t *ike_message_spi(const uint8_t *data, size_t len)
{
	size_t before = has_marker(data, len) ? IKE_MARKER_SIZE : 0;

	return len >= before + IKE_SPI_SIZE ? data + before : NULL;
}

/* One transform of a chosen proposal onto the text. */
static void add_transform(struct ike_answer *a, const uint8_t *t, size_t len)
{
	const char *name = transform_name(t[4], get16(t + 6));
	size_t used = strlen(a->proposal), left = sizeof(a->proposal) - used;
	unsigned bits = 0;

	if (len >= 12 && get16(t + 8) == ATTRIBUTE_KEY_LENGTH)
		bits = get16(t + 10);
	if (name)
		snprintf(a->proposal + used, left, "%s%s", used ? "/" : "", name);
	else
		snprintf(a->proposal + used, left, "%s%u.%u", used ? "/" : "", t[4], get16(t + 6));
	used = strlen(a->proposal);
	if (bits)
		snprintf(a->proposal + used, sizeof(a->proposal) - used, "_%u", bits);
}

/* An SA payload's first proposal: the one that was chosen. */
static void read_proposal(struct ike_answer *a, const uint8_t *p, size_t len)
{
	size_t at, end;

	if (len < 8)
		return;
	end = SN_MIN(get16(p + 2), len);
	at = (size_t)8 + p[6];
	while (at + 8 <= end) {
		size_t size = get16(p + at + 2);

		if (size < 8 || at + size > end)
			return;
		add_transform(a, p + at, size);
		at += size;
	}
}

static void read_hash(const uint8_t *data, size_t len, bool *has, uint8_t *ret)
{
	if (*has || len != IKE_NAT_HASH_SIZE)
		return;
	*has = true;
	memcpy(ret, data, len);
}

static void read_notify(struct ike_answer *a, const uint8_t *p, size_t len)
{
	uint16_t type = len >= 4 ? get16(p + 2) : 0;
	size_t before = len >= 4 ? (size_t)4 + p[1] : 0; /* behind an SPI, if it has one */

	if (type == 0 || before > len)
		return;
	if (type == N_SOURCE)
		read_hash(p + before, len - before, &a->has_source, a->source);
	else if (type == N_DESTINATION)
		read_hash(p + before, len - before, &a->has_destination, a->destination);
	else if (type == N_FRAGMENTATION)
		a->fragmentation = true;
	else if (a->notify == 0 &&
		 (type < N_STATUS || type == IKE_N_COOKIE || type == IKE_N_REDIRECT))
		a->notify = type;
	if (type == IKE_N_INVALID_KE_PAYLOAD && len - before >= 2)
		a->group = get16(p + before);
}

/* RFC 2408, 3.14: domain of interpretation, protocol, SPI size, type. */
static void read_v1_notify(struct ike_answer *a, const uint8_t *p, size_t len)
{
	if (a->notify == 0 && len >= 8)
		a->notify = get16(p + 6);
}

static void read_vendor(struct ike_answer *a, const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len && n < sizeof(a->vendor) - 1 && p[n] >= ' ' && p[n] <= '~')
		n++;
	if (a->vendor[0] || n < 4 || n < len)
		return;
	memcpy(a->vendor, p, n);
	a->vendor[n] = '\0';
}

static void read_payload(struct ike_answer *a, uint8_t type, const uint8_t *p, size_t len)
{
	bool v1 = a->kind == IKE_ANSWER_V1;

	if (v1 && type == PAYLOAD_V1_NOTIFY)
		read_v1_notify(a, p, len);
	else if (!v1 && type == PAYLOAD_SA)
		read_proposal(a, p, len);
	else if (!v1 && type == PAYLOAD_NOTIFY)
		read_notify(a, p, len);
	else if (!v1 && type == PAYLOAD_VENDOR)
		read_vendor(a, p, len);
}

static void read_payloads(struct ike_answer *a, const uint8_t *m, size_t len)
{
	uint8_t type = m[16];
	size_t at = IKE_HEADER_SIZE;

	for (unsigned i = 0; i < PAYLOADS_MAX && type != PAYLOAD_NONE && at + 4 <= len; i++) {
		size_t size = get16(m + at + 2);

		if (size < 4 || size > len - at)
			return;
		read_payload(a, type, m + at + 4, size - 4);
		type = m[at];
		at += size;
	}
}

static enum ike_answer_kind kind_of_v2(const struct ike_answer *a)
{
	if (a->notify)
		return IKE_ANSWER_NOTIFY;
	if (a->exchange == EXCHANGE_SA_INIT && a->proposal[0])
		return IKE_ANSWER_INIT;
	return IKE_ANSWER_IKE;
}

void ike_answer_parse(const uint8_t *data, size_t len, const uint8_t *sent, size_t sent_len,
		      struct ike_answer *ret)
{
	struct ike_answer a = { .kind = IKE_ANSWER_FOREIGN };
	const uint8_t *spi = ike_message_spi(sent, sent_len), *m = data;
	size_t n = len;

	if (len == sent_len && len > 0 && memcmp(data, sent, len) == 0)
		a.kind = IKE_ANSWER_ECHO;
	a.marker = has_marker(data, len);
	if (a.marker) {
		m += IKE_MARKER_SIZE;
		n -= IKE_MARKER_SIZE;
	}
	if (a.kind == IKE_ANSWER_FOREIGN && n >= IKE_HEADER_SIZE && spi &&
	    memcmp(m, spi, IKE_SPI_SIZE) == 0 && get32(m + 24) == n &&
	    (m[17] >> 4 == 1 || m[17] >> 4 == 2)) {
		a.version = m[17];
		a.exchange = m[18];
		memcpy(a.spi_r, m + IKE_SPI_SIZE, IKE_SPI_SIZE);
		a.kind = m[17] >> 4 == 1 ? IKE_ANSWER_V1 : IKE_ANSWER_IKE;
		read_payloads(&a, m, n);
		if (a.kind == IKE_ANSWER_IKE)
			a.kind = kind_of_v2(&a);
	}
	*ret = a;
}
