/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_XDP_STEER_H
#define MR_KIT_PORT_XDP_STEER_H

/*
 * The XDP program that hands frames to our sockets. It is put together at run time
 * (no compiler is needed anywhere), takes what `filter` matches and `leave` does not, and
 * gives the rest, and whatever arrives on a queue without a socket, to the kernel.
 * It is attached by a BPF link, whose descriptor is the only thing that holds it: it
 * goes when the process goes, however that ends.
 *
 * In native mode the program belongs to the device where the kernel allows that (Linux
 * 6.8), so that it can ask the driver for a VLAN tag that was taken out of the frame
 * and put it back.
 *
 * Ownership: xdp_steer_close undoes xdp_steer_open. Threads: the control thread; the
 * kernel reads the map while we change it.
 * Errors: -errno with a sentence.
 */

#include "kit/base/error.h"
#include "kit/port/xdp/ebpf.h"
#include "kit/port/xdp/offload.h"

struct xdp_steer_config {
	int ifindex;
	const char *device; /* for errors */
	const char *filter; /* tcpdump expressions; null or "": none */
	const char *leave;
	unsigned queues;
	bool native; /* else generic */
};

struct xdp_steer {
	int map_fd, prog_fd, link_fd;
	bool frags; /* frames of several buffers may come */
	bool tags;  /* VLAN tags are put back */
	/* For the next program. */
	int ifindex;
	char *filter, *leave;
	unsigned flags;
	int tag_kfunc;
};

int xdp_steer_open(struct xdp_steer *, const struct xdp_steer_config *, struct mr_error *);
void xdp_steer_close(struct xdp_steer *);

/* From the next frame on, the program forwards known flows by itself (offload.h), or (null) does not
 * any more. The old one stays when that fails. */
int xdp_steer_change(struct xdp_steer *, const struct xdp_offload_code *, struct mr_error *);

/* Frames of that queue go to that socket from now on, or to the kernel again. */
int xdp_steer_take(struct xdp_steer *, unsigned queue, int socket, struct mr_error *);
void xdp_steer_leave(struct xdp_steer *, unsigned queue);

/* Do the expressions compile? */
int xdp_steer_check_filters(const char *filter, const char *leave, struct mr_error *);

/* -EBUSY with the program's id when one is attached already. */
int xdp_steer_check_free(int ifindex, const char *device, struct mr_error *);

/* The program alone, for xdp_steer_open and for tests: jumps to a socket of the map, or, with
 * map_fd -1, returns XDP_TX for what it would take. `tag_kfunc` is the BTF id of
 * bpf_xdp_metadata_rx_vlan_tag, 0 to leave tags alone; `offload` may be null. */
int xdp_steer_assemble(struct ebpf *, const char *filter, const char *leave, int map_fd,
    int tag_kfunc, const struct xdp_offload_code *offload, struct mr_error *);

#endif
