/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_XDP_DEVICE_H
#define MR_KIT_PORT_XDP_DEVICE_H

/*
 * What the kernel says about a network interface, and the few things that we change on it:
 * MTU, up, promiscuous, VLAN tags left in the frames. All through the control
 * descriptor that was opened with it, so that everything stays in the network
 * namespace that the port was opened in, and by index, so that another interface
 * that takes the name of one that vanished is not mistaken for it.
 *
 * Ownership: xdp_device_close undoes xdp_device_open and what xdp_device_set_promiscuous and
 * xdp_device_keep_tags changed. Threads: the control thread. Errors: -errno with a sentence.
 */

#include <net/if.h>

#include "kit/base/error.h"

struct xdp_device {
	int ctl;         /* a socket to ask with */
	int promiscuous; /* a packet socket that holds the interface promiscuous, or -1 */
	int ifindex;
	unsigned flags; /* IFF_* when it was opened */
	unsigned mtu;
	unsigned rx_queues, tx_queues;
	uint32_t speed_mbps; /* 0: not known */
	bool checksums; /* frames may arrive with checksums left to the device: not a real NIC */
	bool edge; /* frames come from outside this kernel, not from another of its interfaces */
	bool tags_kept; /* we switched the device's VLAN stripping off */
	uint8_t mac[6];
	char name[IFNAMSIZ];
	char driver[32];
};

int xdp_device_open(struct xdp_device *, const char *name, struct mr_error *);
void xdp_device_close(struct xdp_device *);

int xdp_device_set_mtu(struct xdp_device *, unsigned mtu, struct mr_error *);
int xdp_device_set_up(struct xdp_device *, struct mr_error *);

/* Until xdp_device_close or the end of the process. */
int xdp_device_set_promiscuous(struct xdp_device *, struct mr_error *);

/* Has the device leave VLAN tags in the frames. True when it does (now). */
bool xdp_device_keep_tags(struct xdp_device *);

/* 1 up, 0 down, -ENODEV vanished. */
int xdp_device_link(const struct xdp_device *);

#endif
