/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Input: the record of foreign settings. What is recorded is written below
 * /proc/sys later: nothing outside of net/ may get in. Reads settings, writes none.
 */
#include "net/sysctl.h"

#include "scratch.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(sysctls_freep) struct sysctls *s = NULL;
	_cleanup_object_set_ struct object_set also = { 0 }, found = { 0 };
	struct sn_error e = { 0 };
	char old[sizeof(((struct object_sysctl *)0)->value)];

	scratch_file("sysctls.json", data, size);
	if (sysctls_load(scratch(), &s, &e) < 0) {
		sn_require(!s && e.code < 0 && scratch_is_place(e.text, "sysctls.json"));
		return 0;
	}
	/* one that may be recorded, too, and one that there is not */
	strcpy(object_set_add(&also, OBJECT_SYSCTL)->sysctl->path, "net/ipv4/ip_forward");
	strcpy(object_set_add(&also, OBJECT_SYSCTL)->sysctl->path, "net/none");
	sn_require(sysctl_observe(s, &also, &found, &e) == 0);
	object_set_sort_found(&found);
	sn_require(found.o.n <= SYSCTL_RECORDS_MAX + 1);
	array_foreach(&found.o, o) {
		sn_require(o->kind == OBJECT_SYSCTL && sn_startswith(o->sysctl->path, "net/"));
		sn_require(!strstr(o->sysctl->path, ".."));
		sn_require(sysctl_original(s, o->sysctl->path, old, sizeof(old)) == 0);
	}
	/* what nobody recorded is as it is */
	sn_require(sysctl_original(s, "kernel/x", old, sizeof(old)) == -EINVAL);
	return 0;
}
