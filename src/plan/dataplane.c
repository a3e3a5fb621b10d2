/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/dataplane.h"

void wanted_fini(struct wanted *w)
{
	object_set_fini(&w->objects);
	array_free(&w->peers);
	array_foreach(&w->remarks, r)
		free(*r);
	array_free(&w->remarks);
}
