/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every verb: verb_NAME.c defines verb_NAME. */
#pragma once

#include "cli/cli.h"

extern const struct cli_verb verb_accept_identity, verb_attach, verb_attachments, verb_check,
	verb_cleanup, verb_detach, verb_doctor, verb_down, verb_genkey, verb_help, verb_kick,
	verb_log_level, verb_peers, verb_plan, verb_reload, verb_status, verb_up, verb_version;
