/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_NETDEV_INT_H
#define MR_KIT_PORT_NETDEV_INT_H

/*
 * Kernel interfaces, as the drivers over them need to know them: by ioctl on a
 * socket that stays in the network namespace where the port was opened.
 *
 * Threads: each call is for the control thread. Errors: -errno, with a sentence
 * where an mr_error is taken.
 */

#include <net/if.h>

#include "kit/port/port.h"

/* A socket to ask with; close it. */
int port_netdev_socket(struct mr_error *);

/* Refuses a name that cannot be an interface's. */
int port_netdev_name_check(const char *name, struct mr_error *);

/* The index of an existing interface. */
int port_netdev_index(int fd, const char *name, struct mr_error *);

/* IFF_ flags. */
int port_netdev_flags(int fd, const char *name);
int port_netdev_set_up(int fd, const char *name, struct mr_error *);

/* Fills mac; -EPROTONOSUPPORT when frames there are not Ethernet. */
int port_netdev_mac(int fd, const char *name, uint8_t mac[6], struct mr_error *);
int port_netdev_set_mac(int fd, const char *name, const uint8_t mac[6], struct mr_error *);

/* Sets the MTU when `wanted` is not 0, and returns the one that holds. */
int port_netdev_mtu(int fd, const char *name, uint16_t wanted, struct mr_error *);

/* 1 up with a carrier, 0 down, -ENODEV when no interface has this index any more; follows
 * a renamed one. */
int port_netdev_link(int fd, int index);

/* "aa:bb:cc:dd:ee:ff" */
int port_mac_parse(const char *text, uint8_t mac[6]);

#endif
