/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As much of AppArmor's language as tells whether a profile's text lets a program
 * have a file: path rules with globs, `deny`, `owner`, quotes. Variables
 * (@{PROC}) and included files are not followed. Pure.
 */
#pragma once

#include "base/util.h"

/* True when the glob of apparmor.d(5) matches the path: ? * ** [abc] [^abc] {a,b}. */
bool apparmor_glob(const char *glob, const char *path);
/*
 * Whether the rules in this text allow all of these permissions ("rw", "r") on the
 * path, together: several rules add up. A deny rule wins.
 */
bool apparmor_allows(const char *text, const char *path, const char *permissions);

enum apparmor_mode { APPARMOR_NONE, APPARMOR_COMPLAIN, APPARMOR_ENFORCE };
/*
 * The mode of the profile in /sys/kernel/security/apparmor/profiles ("NAME (enforce)" a line)
 * by that name; "kill" and what is not known count as enforced.
 */
enum apparmor_mode apparmor_mode_in(const char *profiles, const char *name);
