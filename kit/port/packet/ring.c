/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/packet/packet_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit/port/vnet_int.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif
#ifndef PACKET_FANOUT_FLAG_IGNORE_OUTGOING
#define PACKET_FANOUT_FLAG_IGNORE_OUTGOING 0x4000
#endif

static struct tpacket_block_desc *
block_of(const struct packet_ring *r)
{
	return (struct tpacket_block_desc *)(r->map + (size_t)r->at * PACKET_BLOCK);
}

/* The kernel writes a block's status last, and reads it first. */
static uint32_t
block_status(const struct packet_ring *r)
{
	return __atomic_load_n(&block_of(r)->hdr.bh1.block_status, __ATOMIC_ACQUIRE);
}

static void
block_release(struct packet_ring *r)
{
	__atomic_store_n(&block_of(r)->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	r->at = r->at + 1 == r->blocks ? 0 : r->at + 1;
}

static int
filter_nothing(int fd)
{
	struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { .len = 1, .filter = &code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* Kernels that do not know the fanout group's flag pass outgoing frames on to its sockets. */
static int
filter_outgoing(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = { .len = MR_ARRAY_COUNT(code), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

int
packet_ring_open(struct packet_ring *r, int index, unsigned blocks, unsigned timeout_ms,
    struct mr_error *error)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = index };
	struct tpacket_req3 request = {
		.tp_block_size = PACKET_BLOCK,
		.tp_block_nr = blocks,
		.tp_frame_size = 2048,
		.tp_frame_nr = PACKET_BLOCK / 2048 * blocks,
		.tp_retire_blk_tov = timeout_ms,
	};
	int version = TPACKET_V3, one = 1;
	void *map;

	/* Protocol 0: deaf until it is bound. */
	r->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r->fd < 0)
		return mr_error_set(error, -errno, "no packet socket: %s%s", strerror(errno),
		    errno == EPERM ? " (it takes CAP_NET_RAW)" : "");
	if (filter_nothing(r->fd) ||
	    setsockopt(r->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) ||
	    setsockopt(r->fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
	    setsockopt(r->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)))
		return mr_error_set(error, -errno, "cannot set up the packet socket: %s",
		    strerror(errno));
	if (setsockopt(r->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)))
		return mr_error_set(error, -errno, "no ring of %u KB: %s",
		    blocks * (PACKET_BLOCK >> 10), strerror(errno));
	r->map_size = (size_t)blocks * PACKET_BLOCK;
	map = mmap(NULL, r->map_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, 0);
	if (map == MAP_FAILED)
		return mr_error_set(error, -errno, "cannot map a ring of %zu KB: %s",
		    r->map_size >> 10, strerror(errno));
	r->map = map;
	r->blocks = blocks;
	if (bind(r->fd, (struct sockaddr *)&address, sizeof(address)))
		return mr_error_set(error, -errno, "cannot bind the packet socket: %s",
		    strerror(errno));
	return 0;
}

int
packet_ring_fanout(struct packet_ring *rings, unsigned count, struct mr_error *error)
{
	/* The group is one listener, so what its sockets said of outgoing frames is said again. */
	const uint32_t how = PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
	uint32_t group = (how | PACKET_FANOUT_FLAG_UNIQUEID) << 16;
	socklen_t len = sizeof(group);
	unsigned i;

	for (i = 0; i < count; i++) {
		if (setsockopt(rings[i].fd, SOL_PACKET, PACKET_FANOUT, &group, sizeof(group)))
			return mr_error_set(error, -errno, "cannot spread over %u queues: %s",
			    count, strerror(errno));
		/* The first made the group; the kernel chose its number. */
		if (!i && getsockopt(rings[i].fd, SOL_PACKET, PACKET_FANOUT, &group, &len))
			return mr_error_set(error, -errno, "cannot spread over %u queues: %s",
			    count, strerror(errno));
		group = (group & 0xffff) | how << 16;
	}
	return 0;
}

void
packet_ring_close(struct packet_ring *r)
{
	if (r->map)
		munmap(r->map, r->map_size);
	if (r->fd >= 0)
		close(r->fd);
}

int
packet_ring_let_in(struct packet_ring *r, bool in, struct mr_error *error)
{
	if (!in) {
		filter_nothing(r->fd);
		return 0;
	}
	for (r->left = 0; block_status(r) & TP_STATUS_USER;)
		block_release(r);
	if (filter_outgoing(r->fd))
		return mr_error_set(error, -errno, "cannot let packets in: %s", strerror(errno));
	return 0;
}

bool
packet_ring_ready(struct packet_ring *r)
{
	socklen_t len = sizeof(int);
	int code;

	getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &code, &len);
	return r->left || (block_status(r) & TP_STATUS_USER);
}

uint64_t
packet_ring_dropped(struct packet_ring *r)
{
	struct tpacket_stats_v3 stats = { 0 };
	socklen_t len = sizeof(stats);

	return getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) ? 0 : stats.tp_drops;
}

/* `len` bytes into buffers that were taken for them. */
static void
fill(struct mr_buffers *b, const uint32_t *handles, unsigned count, const uint8_t *bytes,
    uint32_t len, uint64_t origin)
{
	uint32_t left = len;
	struct mr_packet *p;
	unsigned i;

	for (i = 0; i < count; i++) {
		uint32_t part = MR_MIN(left, MR_PACKET_ROOM);

		p = mr_packet_at(b->base, handles[i]);
		port_fresh(p, (uint16_t)part, origin);
		p->next = i + 1 < count ? handles[i + 1] : MR_PACKET_NONE;
		memcpy((uint8_t *)p + MR_PACKET_DATA, bytes, part);
		bytes += part;
		left -= part;
	}
	p = mr_packet_at(b->base, handles[0]);
	p->total = len;
	p->segments = (uint16_t)count;
}

/* The kernel took the tag out of the frame; it goes back in, into four bytes of headroom. */
static void
put_tag(struct mr_packet *p, const struct tpacket3_hdr *h)
{
	uint16_t tpid =
	    h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->hv1.tp_vlan_tpid : ETH_P_8021Q;
	uint8_t *b = mr_packet_bytes(p);
	be16_t tag[2] = { mr_be16(tpid), mr_be16((uint16_t)h->hv1.tp_vlan_tci) };

	memmove(b - 4, b, 12);
	memcpy(b + 8, tag, 4);
	p->data -= 4;
	p->len += 4;
	p->total += 4;
}

unsigned
packet_ring_take(struct packet_ring *r, struct mr_port *port, unsigned queue, unsigned worker,
    uint32_t *packets, unsigned max)
{
	struct mr_port_queue_stats *stats = &port->rx_stats[queue];
	uint64_t origin = port_origin(port->index, (uint16_t)queue), bytes = 0, errors = 0;
	struct mr_buffers *b = port->buffers;
	uint32_t chain[MR_PACKET_SEGMENTS_MAX];
	unsigned n = 0;

	while (n < max) {
		const struct tpacket3_hdr *h;
		const uint8_t *frame;
		struct mr_packet *p;
		bool tagged;
		unsigned need;

		if (!r->left) {
			struct tpacket_block_desc *block = block_of(r);

			if (!(block_status(r) & TP_STATUS_USER))
				break;
			r->left = block->hdr.bh1.num_pkts;
			r->frame = (uint8_t *)block + block->hdr.bh1.offset_to_first_pkt;
			if (!r->left) {
				block_release(r);
				continue;
			}
		}
		h = (const struct tpacket3_hdr *)r->frame;
		frame = r->frame + h->tp_mac;
		mr_prefetch(r->frame + h->tp_next_offset);
		need = (h->tp_snaplen + MR_PACKET_ROOM - 1) / MR_PACKET_ROOM;
		if (mr_unlikely(h->tp_snaplen < h->tp_len || h->tp_snaplen < ETH_HLEN ||
			need > MR_PACKET_SEGMENTS_MAX)) {
			errors++;
		} else {
			if (mr_unlikely(!mr_buffers_get(b, worker, chain, need))) {
				mr_counter_add(&stats->no_buffer,
				    1); /* the frame waits in the ring */
				break;
			}
			fill(b, chain, need, frame, h->tp_snaplen, origin);
			p = mr_packet_at(b->base, chain[0]);
			tagged = h->tp_status & TP_STATUS_VLAN_VALID;
			if (mr_unlikely(tagged))
				put_tag(p, h);
			if (mr_unlikely(!vnet_to_packet(
				(const struct vnet_header *)(frame - sizeof(struct vnet_header)), p,
				tagged ? 4 : 0))) {
				errors++;
				mr_buffers_put(b, worker, chain, need);
			} else {
				bytes += p->total;
				packets[n++] = chain[0];
			}
		}
		r->frame += h->tp_next_offset;
		if (!--r->left)
			block_release(r);
	}
	mr_counter_add(&stats->packets, n);
	mr_counter_add(&stats->bytes, bytes);
	if (mr_unlikely(errors))
		mr_counter_add(&stats->errors, errors);
	return n;
}
