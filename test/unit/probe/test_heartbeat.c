/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/heartbeat.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct secrets *secrets;

static int load(void **state)
{
	char path[] = "/tmp/sennit-test-heartbeat-XXXXXX", text[64];
	int fd = mkstemp(path);
	struct sn_error e;

	(void)state;
	secret_generate(text);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -1;
	close(fd);
	return secrets_load(path, &secrets, &e) < 0 || unlink(path) < 0;
}

static int unload(void **state)
{
	(void)state;
	secrets_free(secrets);
	return 0;
}

static const struct heartbeat sample = { .view = 3,
					 .view_changes = 0x1234,
					 .daemon_boot = 0x0102030405060708,
					 .ike_boot = 9,
					 .seq = 77 };

static void comes_back_as_it_went(void **state)
{
	uint8_t wire[HEARTBEAT_SIZE];
	struct heartbeat got;

	(void)state;
	heartbeat_encode(&sample, secrets, "m", "a", "b", wire);
	assert_memory_equal(wire, "SnHb\x01\x03\x12\x34\x01\x02\x03\x04\x05\x06\x07\x08", 16);
	assert_int_equal(heartbeat_decode(wire, sizeof(wire), secrets, "m", "a", "b", &got), 0);
	assert_int_equal(got.view, 3);
	assert_int_equal(got.view_changes, 0x1234);
	assert_true(got.daemon_boot == sample.daemon_boot && got.ike_boot == 9);
	assert_int_equal(got.seq, 77);
}

static void every_changed_bit_is_refused(void **state)
{
	uint8_t wire[HEARTBEAT_SIZE];
	struct heartbeat got;

	(void)state;
	heartbeat_encode(&sample, secrets, "m", "a", "b", wire);
	for (size_t bit = 0; bit < 8 * sizeof(wire); bit++) {
		wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_true(heartbeat_decode(wire, sizeof(wire), secrets, "m", "a", "b", &got) < 0);
		wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t len = 0; len < sizeof(wire); len++)
		assert_int_equal(heartbeat_decode(wire, len, secrets, "m", "a", "b", &got),
				 -EBADMSG);
	assert_int_equal(heartbeat_decode(wire, sizeof(wire), secrets, "m", "b", "a", &got),
			 -EKEYREJECTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_went),
		cmocka_unit_test(every_changed_bit_is_refused),
	};

	return cmocka_run_group_tests_name("probe/heartbeat", tests, load, unload);
}
