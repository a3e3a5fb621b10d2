/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/sha1.h"

#define BLOCK 64

static uint32_t rotate(uint32_t v, unsigned bits)
{
	return v << bits | v >> (32 - bits);
}

static void schedule(const uint8_t block[static BLOCK], uint32_t w[static 80])
{
	for (unsigned i = 0; i < 16; i++)
		w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
		       (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
	for (unsigned i = 16; i < 80; i++)
		w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
}

static uint32_t mix(unsigned i, uint32_t b, uint32_t c, uint32_t d)
{
	if (i < 20)
		return ((b & c) | (~b & d)) + 0x5a827999u;
	if (i < 40)
		return (b ^ c ^ d) + 0x6ed9eba1u;
	if (i < 60)
		return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcu;
	return (b ^ c ^ d) + 0xca62c1d6u;
}

static void add_block(uint32_t h[static 5], const uint8_t block[static BLOCK])
{
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], w[80];

	schedule(block, w);
	for (unsigned i = 0; i < 80; i++) {
		uint32_t next = rotate(a, 5) + mix(i, b, c, d) + e + w[i];

		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = next;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

void sha1(const void *data, size_t len, uint8_t ret[static SHA1_SIZE])
{
	uint32_t h[5] = { 0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u };
	size_t rest = len % BLOCK, whole = len - rest;
	uint8_t last[2 * BLOCK] = { 0 };
	size_t last_len = rest + 9 > BLOCK ? 2 * BLOCK : BLOCK;

	for (size_t i = 0; i < whole; i += BLOCK)
		add_block(h, (const uint8_t *)data + i);
	if (rest)
		memcpy(last, (const uint8_t *)data + whole, rest);
	last[rest] = 0x80;
	for (unsigned i = 0; i < 8; i++)
		last[last_len - 1 - i] = (uint8_t)((uint64_t)len * 8 >> 8 * i);
	for (size_t i = 0; i < last_len; i += BLOCK)
		add_block(h, last + i);
	for (unsigned i = 0; i < SHA1_SIZE; i++)
		ret[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}
