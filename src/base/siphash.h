/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SipHash-2-4 (Aumasson, Bernstein 2012): a keyed 64-bit hash. With a random
 * key nobody outside can make two texts collide.
 */
#pragma once

#include "base/util.h"

#define SIPHASH_KEY_SIZE 16

uint64_t siphash(const uint8_t key[static SIPHASH_KEY_SIZE], const void *data, size_t len);
