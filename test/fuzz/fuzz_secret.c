/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input: the secrets' file. What is wrong with it is told without a word of it. */
#include "secret/secret.h"

#include "scratch.h"

#include <errno.h>
#include <sys/stat.h>

/* A line of the file that the error repeats would be a secret in a log. */
static void check_error(const struct sn_error *e, const char *text)
{
	sn_require(e->code < 0 && scratch_is_place(e->text, "secret"));
	for (const char *line = text; *line; line += strspn(line, "\n")) {
		size_t len = strcspn(line, "\n");
		_cleanup_free_ char *copy = xstrndup(line, len);

		/* shorter ones may be words of ours */
		sn_require(len < SECRET_MIN_BYTES || !strstr(e->text, copy));
		line += len;
	}
}

/* Of a pair there is one key, whoever asks. */
static void check_keys(const struct secrets *s, size_t i)
{
	_cleanup_(secret_wipe_freep) uint8_t *a = secret_alloc(PAIR_KEY_SIZE);
	_cleanup_(secret_wipe_freep) uint8_t *b = secret_alloc(PAIR_KEY_SIZE);

	secrets_pair_key(s, i, "m", "h1", "h2", a);
	secrets_pair_key(s, i, "m", "h2", "h1", b);
	sn_require(memcmp(a, b, PAIR_KEY_SIZE) == 0);
	secrets_pair_key(s, i, "m", "h1", "h3", b);
	sn_require(memcmp(a, b, PAIR_KEY_SIZE) != 0);
}

/* A MAC holds for its direction, and is that of any of the secrets. */
static void check_mac(const struct secrets *s, size_t i, const uint8_t *data, size_t size)
{
	uint8_t mac[SECRET_MAC_SIZE];

	secrets_heartbeat_mac(s, i, "m", "h1", "h2", data, size, mac);
	sn_require(secrets_heartbeat_check(s, "m", "h1", "h2", data, size, mac));
	sn_require(!secrets_heartbeat_check(s, "m", "h2", "h1", data, size, mac));
}

static int load(const char *path)
{
	_cleanup_(secrets_freep) struct secrets *s = NULL;
	struct sn_error e = { 0 };
	int r = secrets_load(path, &s, &e);

	sn_require(!s == (r < 0) && e.code == (r < 0 ? r : 0));
	return r;
}

/* What is refused, whatever it holds; and what `sennit genkey` makes is not. */
static void check_files(void)
{
	static bool done;
	char text[64];

	if (done)
		return;
	done = true;
	sn_require(load(scratch()) == -EINVAL && load("/none") == -ENOENT);
	secret_generate(text);
	sn_require(load(scratch_file("made", text, strlen(text))) == 0);
	sn_require(chmod(scratch_file("made", text, strlen(text)), 0640) == 0);
	sn_require(load(scratch_file("made", text, strlen(text))) == -EPERM);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(secrets_freep) struct secrets *s = NULL;
	_cleanup_free_ char *text = xstrndup((const char *)data, size);
	const char *path;
	char id[SECRET_ID_SIZE];
	struct sn_error e = { 0 };

	check_files();
	path = scratch_file("secret", data, size);
	if (secrets_load(path, &s, &e) < 0) {
		sn_require(!s);
		check_error(&e, text);
		return 0;
	}
	sn_require(secrets_count(s) >= 1 && secrets_count(s) <= SECRET_MAX_COUNT);
	for (size_t i = 0; i < secrets_count(s); i++) {
		secrets_id(s, i, id);
		check_keys(s, i);
		check_mac(s, i, data, size);
		sn_require(strspn(id, "0123456789abcdef") == SECRET_ID_SIZE - 1);
		/* the same secret twice is found where it is first */
		sn_require(secrets_find(s, id) >= 0 && secrets_find(s, id) <= (int)i);
	}
	sn_require(secrets_find(s, "0") < 0);
	return 0;
}
