/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_NF_HOST_HOST_H
#define MR_NF_HOST_HOST_H

/*
 * The host side of a router: what the two nodes between the graph and the kernel's twins
 * read, and what control writes for them.
 *
 *   ip-input .. --> ip-local --> twin (a TAP in the VRF's namespace) --> kernel
 *                      |  neighbour discovery, echo, reassembly: nodes of other parts
 *   port <-- host-input <-- twin <-- kernel
 *
 * Every VRF has a policy: a meter, a list of allowed sources and counters for each class
 * of host/class.h. Three sets are asked by hashed key, and may say yes to one in thousands that
 * is not in them, which costs nothing but a packet that the kernel looks at and drops: the
 * groups and link-local addresses that an interface listens to, and the TCP sessions that stand.
 * A session stands once the host has sent in it anything but SYN, RST and FIN: an outsider
 * cannot make it do so without being answered.
 *
 * Ownership: a policy is the caller's; it may be destroyed after the graph's commit that
 * follows mr_host_set_policy with another one.
 * Threads: nodes run on workers; the rest is the control thread's.
 */

#include "kit/base/counter.h"
#include "kit/base/hash.h"
#include "kit/graph/graph.h"
#include "kit/table/meter.h"
#include "nf/host/class.h"
#include "nf/ip/ip.h"
#include "nf/ip/part.h"

#define MR_HOST_SOURCES_MAX 128u /* of one class */
#define MR_HOST_SET_BITS (1u << 18)

struct mr_host_prefix {
	uint8_t family; /* 4 or 6 */
	uint8_t len;
	uint8_t bytes[16];
};

struct mr_host_sources {
	uint32_t count;
	struct mr_host_prefix prefixes[MR_HOST_SOURCES_MAX];
};

struct mr_host_counts {
	uint64_t packets, bytes; /* that passed */
	uint64_t limited;        /* above the rate */
	uint64_t refused;        /* from sources that are not allowed */
};

enum mr_host_count {
	MR_HOST_COUNT_PACKETS,
	MR_HOST_COUNT_BYTES,
	MR_HOST_COUNT_LIMITED,
	MR_HOST_COUNT_REFUSED,
	MR_HOST_COUNTS,
};

struct mr_host_slot {
	struct mr_meter meter;
	_Atomic(const struct mr_host_sources *) sources; /* null: all */
} __attribute__((aligned(MR_CACHE_LINE)));

struct mr_host_policy {
	struct mr_host_slot slots[MR_HOST_CLASS_COUNT];
	struct mr_counters *counters; /* class x enum mr_host_count */
};

struct mr_host_set {
	_Atomic uint64_t words[MR_HOST_SET_BITS / 64];
};

struct mr_host {
	const struct mr_ip *ip;
	struct mr_hash_key key;
	_Atomic bool has_nd, has_echo, has_reassembly; /* the edge leads somewhere */
	_Atomic uint32_t young;                        /* of `sessions`: the one that is written */
	struct mr_host_set listens;
	struct mr_host_set sessions[2];
	_Atomic(struct mr_host_policy *) policies[MR_IP_VRFS_MAX];
	_Atomic uint16_t interface_of[MR_PORT_MAX]; /* whose twin the port is; 0: none */
	struct mr_host_set next;                    /* control: `listens` in the making */
};

int mr_host_create(struct mr_host **out, const struct mr_ip *, struct mr_error *);
void mr_host_destroy(struct mr_host *);

/* All classes at their own rates. */
int mr_host_policy_create(struct mr_host_policy **out, uint32_t workers, uint64_t hz,
    struct mr_error *);
void mr_host_policy_destroy(struct mr_host_policy *); /* not the lists of sources */
/* Returns the list that was there: the caller frees it after the graph's next commit. */
const struct mr_host_sources *mr_host_policy_set(struct mr_host_policy *, enum mr_host_class,
    uint64_t hz, uint64_t rate, uint64_t burst, const struct mr_host_sources *);
void mr_host_policy_counts(const struct mr_host_policy *, enum mr_host_class,
    struct mr_host_counts *);

void mr_host_set_policy(struct mr_host *, uint16_t vrf, struct mr_host_policy *);
/* What comes in on `port` is of this interface's twin; 0: of none any more. */
void mr_host_set_twin(struct mr_host *, uint16_t port, uint16_t interface);

/* What interfaces listen to, anew: begin, add each, publish. */
void mr_host_listen_begin(struct mr_host *);
void mr_host_listen_add(struct mr_host *, uint16_t interface, unsigned family,
    const uint8_t *address);
void mr_host_listen_publish(struct mr_host *);
/* Forgets the sessions in which the host said nothing since the call before the last. */
void mr_host_age_sessions(struct mr_host *);

/* The nodes; `self` is the struct mr_host. */
enum mr_host_edge {
	MR_HOST_EDGE_ND,
	MR_HOST_EDGE_ECHO,
	MR_HOST_EDGE_REASSEMBLY, /* whole packets come back to ip-local */
	MR_HOST_EDGES,
};

/* Drop reasons of ip-local: above the rate of class c, then these. */
#define MR_HOST_LOCAL_DROPS(X) \
	X(MALFORMED, "malformed", "layer 2, 3 or 4 has a wrong length or ends early") \
	X(NO_INTERFACE, "no-interface", "came in on no interface of a router") \
	X(NO_TWIN, "no-twin", "the interface has no twin at the host") \
	X(NOT_ALLOWED, "not-allowed", "from a source that its class does not allow") \
	X(NOT_JOINED, "not-joined", "to a group that nobody here has joined on the interface") \
	X(NOT_HERE, "not-here", "to a link-local address of another interface")
/* clang-format off */
enum mr_host_local_drop {
	MR_HOST_DROP_LIMITED = 0,
	MR_HOST_DROP_BEFORE_OTHERS = MR_HOST_CLASS_COUNT - 1,
#define X(id, name, doc) MR_HOST_DROP_##id,
	MR_HOST_LOCAL_DROPS(X)
#undef X
	MR_HOST_LOCAL_DROP_COUNT,
};
/* clang-format on */

enum mr_host_input_drop {
	MR_HOST_INPUT_NO_INTERFACE,
	MR_HOST_INPUT_DOWN,
	MR_HOST_INPUT_TOO_BIG,
	MR_HOST_INPUT_SHORT,
	MR_HOST_INPUT_NO_HEADROOM,
	MR_HOST_INPUT_DROPS,
};
enum mr_host_input_counter {
	MR_HOST_INPUT_SENT,
	MR_HOST_INPUT_TAGGED,
	MR_HOST_INPUT_COUNTERS,
};

extern const struct mr_node_class mr_host_local_class, mr_host_input_class;
extern const struct mr_ip_part mr_ip_part_host;

/* The key of something that an interface listens to. */
mr_inline uint64_t
mr_host_listen_key(const struct mr_host *h, unsigned interface, unsigned family,
    const uint8_t *address)
{
	uint64_t words[3] = { interface | (uint64_t)family << 32, 0, 0 };

	memcpy(&words[1], address, family == 4 ? 4 : 16);
	return mr_hash_words(&h->key, words, 3);
}

/* The key of a TCP session: the other end's address and port, and our port. */
mr_inline uint64_t
mr_host_session_key(const struct mr_host *h, unsigned vrf, unsigned family, const uint8_t *address,
    unsigned port, unsigned own_port)
{
	uint64_t words[3] = {
		port | (uint64_t)own_port << 16 | (uint64_t)vrf << 32 | (uint64_t)family << 48, 0, 0
	};

	memcpy(&words[1], address, family == 4 ? 4 : 16);
	return mr_hash_words(&h->key, words, 3);
}

mr_inline bool
mr_host_set_has(const struct mr_host_set *s, uint64_t key)
{
	/* Relaxed: a bit says all. */
	return atomic_load_explicit(&s->words[key / 64 % (MR_HOST_SET_BITS / 64)],
		   memory_order_relaxed) >>
	    (key & 63) &
	    1;
}

mr_inline void
mr_host_set_add(struct mr_host_set *s, uint64_t key)
{
	if (!mr_host_set_has(s, key))
		atomic_fetch_or_explicit(&s->words[key / 64 % (MR_HOST_SET_BITS / 64)],
		    1ull << (key & 63), memory_order_relaxed);
}

mr_inline bool
mr_host_session_stands(const struct mr_host *h, uint64_t key)
{
	return mr_host_set_has(&h->sessions[0], key) || mr_host_set_has(&h->sessions[1], key);
}

#endif
