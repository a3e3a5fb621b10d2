/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/siphash.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The paper's: key 00 01 … 0f, input 00 01 … of each length. */
static void it_gives_the_values_of_its_authors(void **state)
{
	static const struct {
		size_t len;
		uint64_t want;
	} rows[] = {
		{ 0, 0x726fdb47dd0e0e31u }, { 1, 0x74f839c593dc67fdu },  { 7, 0xab0200f58b01d137u },
		{ 8, 0x93f5f5799a932462u }, { 15, 0xa129ca6149be45e5u },
	};
	uint8_t key[SIPHASH_KEY_SIZE], in[64];

	(void)state;
	for (uint8_t i = 0; i < sizeof(key); i++)
		key[i] = i;
	for (uint8_t i = 0; i < sizeof(in); i++)
		in[i] = i;
	for (size_t i = 0; i < SN_ARRAY_SIZE(rows); i++)
		assert_true(siphash(key, in, rows[i].len) == rows[i].want);
	key[3] ^= 1;
	assert_true(siphash(key, in, 15) != rows[4].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(it_gives_the_values_of_its_authors) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
