/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_DRIVER_H
#define MR_KIT_PORT_DRIVER_H

/*
 * The drivers that this build has. The list is written by the build from the
 * names that the folders declare (port_drivers in kit/port/meson.build).
 */

#include "kit/port/port.h"

/* Ends with a null pointer. */
MR_API extern const struct mr_port_driver *const mr_port_driver_list[];

/* The driver of that name, or null. */
MR_API const struct mr_port_driver *mr_port_driver_find(const char *name);

#endif
