/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links of others that the guard has to know. */
#pragma once

#include "model/intent.h"
#include "net/netlink.h"

/* 0, or a negative errno with e; *ret is written on success only. */
int foreign_links(struct netlink *nl, struct intent_foreign *ret, struct sn_error *e);
