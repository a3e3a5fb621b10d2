/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Input: a datagram of h1 to h2. As it is, its MAC is nearly always wrong;
 * therefore it is tried with the right one as well. A MAC holds for its pair,
 * direction and mesh only.
 */
#include "probe/heartbeat.h"

#include "scratch.h"

#include <errno.h>

#define SIGNED 32

static const char secret_file[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
				  "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n";

static const struct secrets *secrets(void)
{
	static struct secrets *s;
	struct sn_error e;

	if (!s) {
		const char *path = scratch_file("secret", secret_file, strlen(secret_file));

		sn_require(secrets_load(path, &s, &e) == 0);
	}
	return s;
}

static void check_taken(const uint8_t *data, const struct heartbeat *hb)
{
	struct heartbeat ignored;
	uint8_t back[HEARTBEAT_SIZE];

	heartbeat_encode(hb, secrets(), "m", "h1", "h2", back);
	/* the other flags and bytes 29 to 31 are left to later versions */
	sn_require(memcmp(back, data, 28) == 0 && back[28] == (data[28] & 1));
	sn_require(heartbeat_decode(data, HEARTBEAT_SIZE, secrets(), "m", "h2", "h1", &ignored) ==
		   -EKEYREJECTED);
	sn_require(heartbeat_decode(data, HEARTBEAT_SIZE, secrets(), "n", "h1", "h2", &ignored) ==
		   -EKEYREJECTED);
}

static int try(const uint8_t *data, size_t size)
{
	struct heartbeat hb;
	int r = heartbeat_decode(data, size, secrets(), "m", "h1", "h2", &hb);

	sn_require(r == 0 || r == -EBADMSG || r == -EKEYREJECTED);
	if (r == 0)
		check_taken(data, &hb);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t good[HEARTBEAT_SIZE];
	int r = try(data, size);

	if (size < SIGNED)
		return 0;
	memcpy(good, data, SIGNED);
	/* by each of the secrets */
	secrets_heartbeat_mac(secrets(), data[28] % 2, "m", "h1", "h2", good, SIGNED,
			      good + SIGNED);
	sn_require(try(good, sizeof(good)) != -EKEYREJECTED);
	/* and the last MAC of another length */
	sn_require(try(good, sizeof(good) - 1) == -EBADMSG);
	sn_require(size == HEARTBEAT_SIZE || r == -EBADMSG);
	return 0;
}
