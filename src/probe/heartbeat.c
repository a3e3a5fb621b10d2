/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/heartbeat.h"

#include <endian.h>
#include <errno.h>

#define VERSION 1
#define SIGNED_SIZE 32
#define FLAG_IKE_AWAY 0x01

static const char magic[4] = { 'S', 'n', 'H', 'b' };

static void put16(uint8_t *p, uint16_t v)
{
	v = htobe16(v);
	memcpy(p, &v, sizeof(v));
}

static void put32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return be16toh(v);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

void heartbeat_encode(const struct heartbeat *hb, const struct secrets *secrets,
		      const char *mesh_id, const char *sender, const char *receiver,
		      uint8_t ret[static HEARTBEAT_SIZE])
{
	memset(ret, 0, HEARTBEAT_SIZE);
	memcpy(ret, magic, sizeof(magic));
	ret[4] = VERSION;
	ret[5] = hb->view;
	put16(ret + 6, hb->view_changes);
	put64(ret + 8, hb->daemon_boot);
	put64(ret + 16, hb->ike_boot);
	put32(ret + 24, hb->seq);
	ret[28] = hb->ike_away ? FLAG_IKE_AWAY : 0;
	secrets_heartbeat_mac(secrets, 0, mesh_id, sender, receiver, ret, SIGNED_SIZE,
			      ret + SIGNED_SIZE);
}

int heartbeat_decode(const uint8_t *data, size_t len, const struct secrets *secrets,
		     const char *mesh_id, const char *sender, const char *receiver,
		     struct heartbeat *ret)
{
	if (len != HEARTBEAT_SIZE || memcmp(data, magic, sizeof(magic)) != 0 || data[4] != VERSION)
		return -EBADMSG;
	if (!secrets_heartbeat_check(secrets, mesh_id, sender, receiver, data, SIGNED_SIZE,
				     data + SIGNED_SIZE))
		return -EKEYREJECTED;
	*ret = (struct heartbeat){
		.view = data[5],
		.view_changes = get16(data + 6),
		.daemon_boot = get64(data + 8),
		.ike_boot = get64(data + 16),
		.seq = get32(data + 24),
		.ike_away = data[28] & FLAG_IKE_AWAY,
	};
	return 0;
}
