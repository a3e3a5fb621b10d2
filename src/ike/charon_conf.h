/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The strongswan.conf of our own charon, as text. Pure. */
#pragma once

#include "base/error.h"
#include "base/strbuf.h"
#include "ike/charon.h"

/* By it a file is known as one that sennitd wrote. */
#define CHARON_CONF_FIRST_LINE "# Written by sennitd at each start of its charon.\n"

/*
 * Appends the file for these settings to ret. 0, or -EINVAL/-ENAMETOOLONG with
 * e: run_dir is not absolute, too long for a Unix socket in it, or holds what
 * strongswan.conf would read as syntax.
 */
int charon_conf_write(const struct charon_settings *settings, struct strbuf *ret,
		      struct sn_error *e);
