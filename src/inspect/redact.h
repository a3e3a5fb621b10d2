/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes out of a text what may be a secret, before it leaves this host in a
 * report: what is known (the mesh's secrets, the token) and what looks like one
 * (passwords in URLs, values of words like "token" and "password").
 */
#pragma once

#include "base/json.h"
#include "base/util.h"

#define REDACTED "[redacted]"

/* A copy of the URL without "user:password@" and without what follows a '?'. */
char *redact_url(const char *url);
/*
 * A copy without: "user:password@" behind any "://"; what stands behind "token", "password",
 * "passwd", "secret", "psk", "bearer", "key", "authorization" and a '=', ':' or blank; any run of
 * 40 or more characters of base64 or hex; each of the known ones (NULL-terminated; may be NULL).
 */
char *redact_text(const char *text, char *const *known);
/*
 * Every string of the document, its keys too, and whatever stands under a key that has such a
 * word in it and does not end with "_file"; a new document.
 */
json_t *redact_json(const json_t *v, char *const *known);
