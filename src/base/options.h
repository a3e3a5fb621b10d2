/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line, read the same way by every program. */
#pragma once

#include "base/error.h"

#include <getopt.h>

/*
 * getopt_long(3) that prints nothing, but says in e what was wrong, and what was probably
 * meant: the option's val, -1 at the end, '?' with e. shorts begins with ":" (or "+:").
 */
int options_next(int argc, char **argv, const char *shorts, const struct option *longs,
		 struct sn_error *e);
