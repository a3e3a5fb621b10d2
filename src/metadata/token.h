/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bearer token for a metadata service: one line of a file that only its owner can read. */
#pragma once

#include "base/error.h"

#define TOKEN_MAX_BYTES 4096

/* The caller wipes and frees *ret (token_free()). 0 or a negative errno with e. */
int token_read(const char *path, char **ret, struct sn_error *e);
/* Takes NULL. */
void token_free(char *token);
