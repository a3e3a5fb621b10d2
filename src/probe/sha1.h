/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-1 (FIPS 180-4): NAT detection of IKE is defined with it. Protects nothing. */
#pragma once

#include "base/util.h"

#define SHA1_SIZE 20

void sha1(const void *data, size_t len, uint8_t ret[static SHA1_SIZE]);
