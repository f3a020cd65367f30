/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the parser makes of captures, one line per frame, for comparison with others:
 *
 *   parse-dump FILE.pcap...
 *
 * Tab-separated: file, frame number, bytes captured, bytes on the wire, what the outer
 * layer-4 checksum is, where one was left unfinished ("START+OFFSET" or "-"), and then for
 * the frame and each thing found inside a tunnel one field of key=value pairs.
 * Captures of other links than Ethernet are left out.
 */
#include <arpa/inet.h>

#include "kit/packet/capture_int.h"
#include "kit/packet/checksum.h"
#include "kit/packet/parse.h"

static void
dump_layer(const struct mr_parsed *p, const uint8_t *bytes)
{
	unsigned size = p->version == 4 ? 4 : 16, i;
	const uint8_t *src = bytes + p->l3 + (p->version == 4 ? 12 : 8);
	int family = p->version == 4 ? AF_INET : AF_INET6;
	char text[INET6_ADDRSTRLEN];

	printf("\terror=%s type=0x%04x version=%u", mr_parse_error_name(p->error), p->ethertype,
	    p->version);
	for (i = 0; i < p->vlan_count; i++)
		printf(" vlan%u=%u", i, p->vlan[i] & MR_VLAN_ID_MASK);
	if (p->via)
		printf(" via=%u id=%u", p->via, p->tunnel_id);
	if (!p->version)
		return;
	printf(" proto=%u ttl=%u", p->proto, p->ttl);
	printf(" src=%s", inet_ntop(family, src, text, sizeof(text)));
	printf(" dst=%s", inet_ntop(family, src + size, text, sizeof(text)));
	if (p->flags & MR_PARSED_FRAGMENT)
		printf(" fragment=%u", p->frag_offset);
	if (!(p->flags & MR_PARSED_L4))
		return;
	if (p->proto == MR_IP_PROTO_ICMP || p->proto == MR_IP_PROTO_ICMP6)
		printf(" icmp=%u.%u", p->icmp_type, p->icmp_code);
	else
		printf(" sport=%u dport=%u", p->src_port, p->dst_port);
	if (p->proto == MR_IP_PROTO_TCP)
		printf(" flags=0x%02x payload=%u", p->tcp_flags, p->end - p->payload);
}

static const char *
checksum(const struct capture_frame *f)
{
	static const char *const names[] = {
		[MR_CHECKSUM_GOOD] = "good",
		[MR_CHECKSUM_BAD] = "bad",
		[MR_CHECKSUM_ABSENT] = "absent",
		[MR_CHECKSUM_UNKNOWN] = "unknown",
	};

	return names[mr_checksum_l4_verify(f->bytes, f->len)];
}

static void
dump_file(const char *path)
{
	struct capture_frame f;
	struct mr_parsed p;
	struct capture c;
	uint16_t start, offset;
	unsigned n = 0, depth;

	if (!capture_open(&c, path))
		return;
	while (c.link == CAPTURE_ETHERNET && capture_next(&c, &f)) {
		printf("%s\t%u\t%u\t%u\t%s", path, ++n, f.len, f.total, checksum(&f));
		if (mr_checksum_is_unfinished(f.bytes, f.len, &start, &offset))
			printf("\t%u+%u", start, offset);
		else
			printf("\t-");
		mr_parse(&p, f.bytes, f.len, f.total);
		dump_layer(&p, f.bytes);
		for (depth = 0; depth < 8 && p.tunnel && !p.error; depth++) {
			mr_parse_inner(&p, &p, f.bytes, f.len, f.total);
			dump_layer(&p, f.bytes);
		}
		printf("\n");
		free(f.bytes);
	}
	capture_close(&c);
}

int
main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		dump_file(argv[i]);
	return 0;
}
