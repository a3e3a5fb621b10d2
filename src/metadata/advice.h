/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What whoever reads of a failed request may do about it. */
#pragma once

#include "loop/http.h"

/* "; see metadata.token_file", or "". text: what was found wrong; static storage. */
const char *advice_on(const struct http_answer *a, const char *text);
