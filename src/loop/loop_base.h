/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The libevent base of a loop, for adapters of libraries that sit on libevent
 * themselves (evhttp). Nobody else includes this. The base stays the loop's;
 * whatever is made on it is freed before the loop.
 */
#pragma once

#include "loop/loop.h"

struct event_base;

struct event_base *loop_base(struct loop *loop);
