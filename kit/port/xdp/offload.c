/* SPDX-License-Identifier: Apache-2.0 */
/* Flows that the kernel forwards: maps, the program that reads them, and rules. */
#include "kit/port/xdp/offload.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit/port/xdp/xdp_int.h"

/* Newer than Debian 12's headers of the C library. */
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

extern const struct mr_port_driver mr_port_driver_xdp;

static struct xdp_port *
xdp_of(const struct mr_port *port)
{
	return (struct xdp_port *)(uintptr_t)port;
}

static void
offload_close(struct mr_port *port)
{
	struct xdp_port *x = xdp_of(port);
	struct xdp_offload *o = &x->offload;

	if (!o->open)
		return;
	/* When the program without it is not to be had, the one with it stays: it finds nothing. */
	for (uint32_t i = 0; i < o->slots; i++)
		atomic_store_explicit(&o->lines[i].incarnation, 0, memory_order_relaxed);
	xdp_steer_change(&x->steer, NULL, NULL);
	o->open = false;
	munmap(o->lines, o->bytes);
	free(o->incarnations);
	close(o->hash_fd);
	close(o->lines_fd);
}

static int
make_maps(struct xdp_offload *o, struct mr_error *error)
{
	LIBBPF_OPTS(bpf_map_create_opts, mapped, .map_flags = BPF_F_MMAPABLE);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *lines;
	int rc;

	o->hash_fd = bpf_map_create(BPF_MAP_TYPE_HASH, "millrace_flows",
	    sizeof(struct mr_offload_key), sizeof(struct xdp_offload_value), o->slots, NULL);
	if (o->hash_fd < 0)
		return mr_error_set(error, o->hash_fd, "no map of %u flows: %s", o->slots,
		    strerror(-o->hash_fd));
	o->lines_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "millrace_lines", sizeof(uint32_t),
	    sizeof(struct xdp_offload_line), o->slots, &mapped);
	if (o->lines_fd < 0) {
		rc = mr_error_set(error, o->lines_fd, "no map of %u rules: %s", o->slots,
		    strerror(-o->lines_fd));
		goto no_lines;
	}
	o->bytes = MR_ALIGN_UP(o->slots * sizeof(struct xdp_offload_line), page);
	lines = mmap(NULL, o->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, o->lines_fd, 0);
	o->incarnations = calloc(o->slots, sizeof(*o->incarnations));
	if (lines != MAP_FAILED && o->incarnations) {
		o->lines = lines;
		return 0;
	}
	rc = mr_error_set(error, -ENOMEM, "no memory for %u flows", o->slots);
	if (lines != MAP_FAILED)
		munmap(lines, o->bytes);
	free(o->incarnations);
	close(o->lines_fd);
no_lines:
	close(o->hash_fd);
	return rc;
}

static int
offload_open(struct mr_port *port, const struct mr_offload_config *config, struct mr_error *error)
{
	struct xdp_port *x = xdp_of(port);
	struct xdp_offload *o = &x->offload;
	struct xdp_offload_code code = { .port = port->index };
	int rc;

	if (x->check)
		return mr_error_set(error, -ENOTSUP,
		    "checksums of what it receives may be left to the device (option "
		    "checksum: trust says that they are not)");
	o->slots = config->slots;
	rc = make_maps(o, error);
	if (rc)
		return rc;
	memcpy(o->mac, config->mac, sizeof(o->mac));
	code.hash_fd = o->hash_fd;
	code.lines_fd = o->lines_fd;
	memcpy(code.mac, config->mac, sizeof(code.mac));
	o->open = true;
	rc = xdp_steer_change(&x->steer, &code, error);
	if (rc)
		offload_close(port);
	return rc;
}

static bool
same_namespace(const struct xdp_device *a, const struct xdp_device *b)
{
	uint64_t of[2];
	socklen_t size = sizeof(of[0]);

	return getsockopt(a->ctl, SOL_SOCKET, SO_NETNS_COOKIE, &of[0], &size) == 0 &&
	    getsockopt(b->ctl, SOL_SOCKET, SO_NETNS_COOKIE, &of[1], &size) == 0 && of[0] == of[1];
}

/* In generic mode the network stack sends, by any device. Else the device's driver must take frames from
 * other devices' programs; where the kernel does not say, one that runs programs of its own does,
 * but for veth, which asks for one at its other end. */
static bool
offload_reaches(const struct mr_port *port, const struct mr_port *to)
{
	const struct xdp_port *x = xdp_of(port), *y = xdp_of(to);
	int takes;

	/* By name: a test's driver may stand around ours. */
	if (strcmp(to->driver->name, mr_port_driver_xdp.name) != 0 ||
	    !same_namespace(&x->device, &y->device))
		return false;
	if (x->mode == XDP_MODE_GENERIC)
		return true;
	takes = xdp_device_takes_redirects(y->device.ifindex);
	if (takes >= 0)
		return takes;
	return y->mode != XDP_MODE_GENERIC && strcmp(y->device.driver, "veth") != 0;
}

static void
fill(struct xdp_offload_line *line, const struct mr_offload_rule *rule)
{
	line->ifindex = (uint32_t)xdp_of(rule->to)->device.ifindex;
	line->head = -rule->grow;
	line->max_length = rule->max_length;
	line->ip_at = rule->ip_at;
	line->version = rule->six ? 6 : 4;
	line->write_len = rule->write_len;
	memcpy(line->write, rule->write, rule->write_len);
	atomic_store_explicit(&line->packets, 0, memory_order_relaxed);
	atomic_store_explicit(&line->bytes, 0, memory_order_relaxed);
}

static int
offload_add(struct mr_port *port, uint32_t slot, const struct mr_offload_key *key,
    const struct mr_offload_rule *rule)
{
	struct xdp_offload *o = &xdp_of(port)->offload;
	struct xdp_offload_value value = { .slot = slot };
	struct xdp_offload_line *line;
	int rc;

	if (!o->open || slot >= o->slots)
		return -ENODEV;
	line = &o->lines[slot];
	fill(line, rule);
	if (!++o->incarnations[slot])
		o->incarnations[slot] = 1;
	value.incarnation = o->incarnations[slot];
	rc = bpf_map_update_elem(o->hash_fd, key, &value, BPF_NOEXIST);
	if (rc)
		return rc;
	/* Release: the program sees the line as it is now. */
	atomic_store_explicit(&line->incarnation, value.incarnation, memory_order_release);
	return 0;
}

static void
offload_disable(struct mr_port *port, uint32_t slot)
{
	struct xdp_offload *o = &xdp_of(port)->offload;

	if (o->open && slot < o->slots)
		atomic_store_explicit(&o->lines[slot].incarnation, 0, memory_order_release);
}

static void
offload_remove(struct mr_port *port, uint32_t slot, const struct mr_offload_key *key)
{
	struct xdp_offload *o = &xdp_of(port)->offload;

	if (!o->open || slot >= o->slots)
		return;
	offload_disable(port, slot);
	bpf_map_delete_elem(o->hash_fd, key);
}

static void
offload_read(const struct mr_port *port, uint32_t slot, uint64_t *packets, uint64_t *bytes)
{
	const struct xdp_offload *o = &xdp_of(port)->offload;

	*packets = *bytes = 0;
	if (!o->open || slot >= o->slots)
		return;
	*packets = atomic_load_explicit(&o->lines[slot].packets, memory_order_relaxed);
	*bytes = atomic_load_explicit(&o->lines[slot].bytes, memory_order_relaxed);
}

const struct mr_port_offload xdp_offload_functions = {
	.open = offload_open,
	.close = offload_close,
	.reaches = offload_reaches,
	.add = offload_add,
	.disable = offload_disable,
	.remove = offload_remove,
	.read = offload_read,
};
