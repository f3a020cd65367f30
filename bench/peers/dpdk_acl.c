/* SPDX-License-Identifier: Apache-2.0 */
/* DPDK's side of the rows acl-*: rte_acl with the widest vector instructions there are. Its loop is
 * that of bench/row_acl.c; packets come as 16 bytes each, in the order that rte_acl reads. */
#include "bench/peers/dpdk_base.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <rte_acl.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_memory.h>
#include <rte_version.h>

#include "bench/shape_acl.h"

/* Where a context does not fit in this, rte_acl spreads the rules over more tries. */
#define ACL_SIZE_MOST ((size_t)1 << 30)

/* What this process may take beyond DPDK's own memory: with many wide ranges rte_acl asks for more than
 * machines have. */
#define MEMORY_MORE ((rlim_t)3 << 30)

struct packet {
	uint8_t proto, unused[3];
	uint8_t src[4], dst[4];
	be16_t sport, dport;
};

enum { PROTO, SRC, DST, SPORT, DPORT, FIELDS };

RTE_ACL_RULE_DEF(acl_rule, FIELDS);

static struct {
	struct rte_acl_ctx *context;
	struct packet *packets;
	const uint8_t **pointers;
	uint32_t at;
} job;

static const struct rte_acl_field_def fields[FIELDS] = {
	{ RTE_ACL_FIELD_TYPE_BITMASK, 1, PROTO, 0, offsetof(struct packet, proto) },
	{ RTE_ACL_FIELD_TYPE_MASK, 4, SRC, 1, offsetof(struct packet, src) },
	{ RTE_ACL_FIELD_TYPE_MASK, 4, DST, 2, offsetof(struct packet, dst) },
	{ RTE_ACL_FIELD_TYPE_RANGE, 2, SPORT, 3, offsetof(struct packet, sport) },
	{ RTE_ACL_FIELD_TYPE_RANGE, 2, DPORT, 3, offsetof(struct packet, dport) },
};

static void
acl_window(struct job *unused, uint64_t cycles, uint64_t *took, uint64_t *objects)
{
	uint32_t values[SHAPE_ACL_VECTOR];
	uint64_t start = rte_rdtsc(), now, count = 0;

	(void)unused;
	do {
		for (unsigned i = 0; i < SHAPE_ACL_TURNS; i++) {
			rte_acl_classify(job.context, &job.pointers[job.at], values,
			    SHAPE_ACL_VECTOR, 1);
			job.at = (job.at + SHAPE_ACL_VECTOR) % SHAPE_ACL_PACKETS;
			count += SHAPE_ACL_VECTOR;
		}
		now = rte_rdtsc();
	} while (now - start < cycles);
	*took = now - start;
	*objects = count;
}

static uint32_t
host32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
add(const struct mr_class_rule *r, uint32_t n)
{
	struct acl_rule rule = { .data = { 1, (int32_t)(RTE_ACL_MAX_PRIORITY - n), n + 1 } };
	int rc;

	rule.field[PROTO].value.u8 = r->proto;
	rule.field[PROTO].mask_range.u8 = r->proto_mask;
	rule.field[SRC].value.u32 = host32(r->src);
	rule.field[SRC].mask_range.u32 = r->src_len;
	rule.field[DST].value.u32 = host32(r->dst);
	rule.field[DST].mask_range.u32 = r->dst_len;
	rule.field[SPORT].value.u16 = r->sport_lo;
	rule.field[SPORT].mask_range.u16 = r->sport_hi;
	rule.field[DPORT].value.u16 = r->dport_lo;
	rule.field[DPORT].mask_range.u16 = r->dport_hi;
	rc = rte_acl_add_rules(job.context, (const struct rte_acl_rule *)&rule, 1);
	if (rc)
		fail("rte_acl_add_rules", -rc);
}

static void
set_up_packets(const struct mr_class_key *keys)
{
	job.packets = aligned_alloc(64, SHAPE_ACL_PACKETS * sizeof(*job.packets));
	job.pointers = malloc(SHAPE_ACL_PACKETS * sizeof(*job.pointers));
	if (!keys || !job.packets || !job.pointers)
		fail("packets", ENOMEM);
	for (uint32_t i = 0; i < SHAPE_ACL_PACKETS; i++) {
		struct packet *p = &job.packets[i];

		*p = (struct packet){ .proto = keys[i].proto,
			.sport = mr_be16(keys[i].sport),
			.dport = mr_be16(keys[i].dport) };
		memcpy(p->src, keys[i].src, sizeof(p->src));
		memcpy(p->dst, keys[i].dst, sizeof(p->dst));
		job.pointers[i] = (const uint8_t *)p;
	}
}

/* The process has so much room for addresses already: with hugepages, much more than memory. */
static rlim_t
reserved(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	if (!f || fscanf(f, "%lu", &pages) != 1)
		fail("/proc/self/statm", EIO);
	fclose(f);
	return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

dpdk_window *
set_up_acl(const char *row, bool huge)
{
	struct rte_acl_param param = { .name = "bench",
		.socket_id = SOCKET_ID_ANY,
		.rule_size = RTE_ACL_RULE_SZ(FIELDS) };
	struct rte_acl_config config = { .num_categories = 1,
		.num_fields = FIELDS,
		.max_size = ACL_SIZE_MOST };
	const rlim_t most = reserved() + MEMORY_MORE;
	const struct rlimit limit = { most, most };
	struct mr_class_key *keys;
	struct mr_class_rule *rules = shape_acl_rules(row, &param.max_rule_num);
	uint32_t value;
	int rc;

	if (!rules)
		fail("rules", ENOENT);
	if (setrlimit(RLIMIT_AS, &limit))
		fail("setrlimit", errno);
	job.context = rte_acl_create(&param);
	if (!job.context)
		fail("rte_acl_create", rte_errno);
	for (uint32_t i = 0; i < param.max_rule_num; i++)
		add(&rules[i], i);
	memcpy(config.defs, fields, sizeof(fields));
	rc = rte_acl_build(job.context, &config);
	if (rc)
		fail("rte_acl_build", -rc);
	keys = shape_acl_packets(rules, param.max_rule_num);
	set_up_packets(keys);
	/* It is asked the same: the first rule that matches. */
	for (uint32_t i = 0; i < SHAPE_ACL_PACKETS; i += 4096) {
		uint32_t n = 0;

		rte_acl_classify(job.context, &job.pointers[i], &value, 1, 1);
		while (!mr_classbench_matches(&rules[n], &keys[i]))
			n++;
		if (value != n + 1)
			fail("rte_acl_classify", EBADMSG);
	}
	free(keys);
	free(rules);
	printf("ready rte_acl %s, %s pages\n", strchr(rte_version(), ' ') + 1,
	    huge ? "2 MB" : "4 KB");
	return acl_window;
}
