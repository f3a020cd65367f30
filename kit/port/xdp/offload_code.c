/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of the program that forwards:
 *
 *	if the frame is in several pieces, or not to our address: goto miss
 *	build the key; for what is not plain (kit/flow/key.h): goto miss
 *	value = hash[key]; line = lines[value.slot]
 *	if none, or line.incarnation != value.incarnation, or too long: goto miss
 *	move the head, TTL - 1, write the header, count
 *	return bpf_redirect(line.ifindex)
 *  miss:
 *
 * Registers: r6 the frame, r9 its end, r7 the header at hand, r8 the key's `where`, later the
 * line; r3 the length of layer 4, r4 the protocol, r5 the room behind the header, later ports.
 */
#include "kit/port/xdp/offload.h"

#include "kit/packet/wire.h"
#include "kit/port/xdp/cbpf.h"

#define FP 10
/* Below what the steering program keeps of a tag. */
#define STACK_KEY (EBPF_STACK_CBPF_END - 16 - 40)
#define STACK_LEN (STACK_KEY - 8)
#define STACK_SLOT (STACK_KEY - 16)

#define LINE(field) ((int16_t)offsetof(struct xdp_offload_line, field))

/* TCP's flags that the graph wants to see: as TCP_SPECIAL of kit/flow/key.c. */
#define TCP_SPECIAL (MR_TCP_FIN | MR_TCP_SYN | MR_TCP_RST | MR_TCP_URG)

#define VLAN_SHIFT 10
#define PROTO_SHIFT 22
#define SIX_SHIFT 30

struct code {
	struct ebpf *e;
	int miss, abort, keyed;
};

static void
alu(struct code *c, uint8_t op, uint8_t dst, int32_t imm)
{
	ebpf_emit(c->e, (uint8_t)(BPF_ALU64 | op | BPF_K), dst, 0, 0, imm);
}

static void
alu_reg(struct code *c, uint8_t op, uint8_t dst, uint8_t src)
{
	ebpf_emit(c->e, (uint8_t)(BPF_ALU64 | op | BPF_X), dst, src, 0, 0);
}

static void
jump(struct code *c, uint8_t op, uint8_t reg, int32_t imm, int label)
{
	ebpf_jump(c->e, (uint8_t)(BPF_JMP | op | BPF_K), reg, 0, imm, label);
}

static void
jump_reg(struct code *c, uint8_t op, uint8_t a, uint8_t b, int label)
{
	ebpf_jump(c->e, (uint8_t)(BPF_JMP | op | BPF_X), a, b, 0, label);
}

/* To `label` unless there are `need` bytes from this register on. */
static void
need(struct code *c, uint8_t from, int bytes, int label)
{
	ebpf_mov(c->e, 2, from);
	ebpf_add_imm(c->e, 2, bytes);
	jump_reg(c, BPF_JGT, 2, 9, label);
}

static void
load_map(struct code *c, int fd)
{
	ebpf_emit(c->e, BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, fd);
	ebpf_emit(c->e, 0, 0, 0, 0, 0);
}

static void
load_frame(struct code *c)
{
	ebpf_load(c->e, BPF_DW, 1, FP, EBPF_STACK_CTX);
	ebpf_load(c->e, BPF_W, 6, 1, offsetof(struct xdp_md, data));
	ebpf_load(c->e, BPF_W, 9, 1, offsetof(struct xdp_md, data_end));
}

/* The frame in one piece, to our address. */
static void
emit_frame(struct code *c, const uint8_t mac[6])
{
	struct ebpf *e = c->e;
	uint32_t first;
	uint16_t rest;

	memcpy(&first, mac, sizeof(first));
	memcpy(&rest, mac + 4, sizeof(rest));
	ebpf_load(e, BPF_DW, 1, FP, EBPF_STACK_CTX);
	ebpf_call(e, BPF_FUNC_xdp_get_buff_len);
	jump(c, BPF_JGT, 0, XDP_OFFLOAD_FRAME_MAX, c->miss);
	ebpf_store(e, BPF_DW, FP, 0, STACK_LEN);
	load_frame(c);
	ebpf_mov(e, 2, 6);
	alu_reg(c, BPF_ADD, 2, 0);
	jump_reg(c, BPF_JGT, 2, 9, c->miss);
	need(c, 6, (int)(sizeof(struct mr_eth) + sizeof(struct mr_ip4)), c->miss);
	ebpf_load(e, BPF_W, 2, 6, 0);
	ebpf_jump(e, BPF_JMP32 | BPF_JNE | BPF_K, 2, 0, (int32_t)first, c->miss);
	ebpf_load(e, BPF_H, 2, 6, 4);
	jump(c, BPF_JNE, 2, rest, c->miss);
}

/* Layer 3 is at `l3`. */
static void
emit_layer3(struct code *c, int l3, int label)
{
	ebpf_mov(c->e, 7, 6);
	ebpf_add_imm(c->e, 7, l3);
	ebpf_load(c->e, BPF_DW, 5, FP, STACK_LEN);
	ebpf_add_imm(c->e, 5, -l3);
	ebpf_jump(c->e, BPF_JMP | BPF_JA, 0, 0, 0, label);
}

/* From Ethernet and a tag to `four` and `six`; `where` without the protocol. */
static void
emit_ethernet(struct code *c, uint16_t port, int four, int six)
{
	int plain4 = ebpf_label(c->e), plain6 = ebpf_label(c->e), tagged6 = ebpf_label(c->e);
	struct ebpf *e = c->e;

	ebpf_mov_imm(e, 8, port);
	ebpf_load(e, BPF_H, 2, 6, 12);
	jump(c, BPF_JEQ, 2, mr_be16(MR_ETH_TYPE_IP4), plain4);
	jump(c, BPF_JEQ, 2, mr_be16(MR_ETH_TYPE_IP6), plain6);
	jump(c, BPF_JNE, 2, mr_be16(MR_ETH_TYPE_VLAN), c->miss);
	ebpf_load(e, BPF_H, 3, 6, 14);
	ebpf_swap(e, 3, 16);
	alu(c, BPF_AND, 3, MR_VLAN_ID_MASK);
	jump(c, BPF_JEQ, 3, 0, c->miss);
	jump(c, BPF_JGT, 3, MR_VLAN_ID_MAX, c->miss);
	alu(c, BPF_LSH, 3, VLAN_SHIFT);
	alu_reg(c, BPF_OR, 8, 3);
	ebpf_load(e, BPF_H, 2, 6, 16);
	jump(c, BPF_JEQ, 2, mr_be16(MR_ETH_TYPE_IP6), tagged6);
	jump(c, BPF_JNE, 2, mr_be16(MR_ETH_TYPE_IP4), c->miss);
	emit_layer3(c, 18, four);
	ebpf_bind(e, tagged6);
	emit_layer3(c, 18, six);
	ebpf_bind(e, plain4);
	emit_layer3(c, 14, four);
	ebpf_bind(e, plain6);
	emit_layer3(c, 14, six);
}

/* `where` gets the protocol, which is in r4. */
static void
emit_where(struct code *c)
{
	ebpf_mov(c->e, 2, 4);
	alu(c, BPF_LSH, 2, PROTO_SHIFT);
	alu_reg(c, BPF_OR, 8, 2);
}

/* The ports of what is at r7, of r3 bytes, 8 of which are there for certain; on to `keyed`. */
static void
emit_layer4(struct code *c, bool six)
{
	int udp = ebpf_label(c->e), tcp = ebpf_label(c->e), echo = ebpf_label(c->e);
	struct ebpf *e = c->e;

	jump(c, BPF_JEQ, 4, MR_IP_PROTO_UDP, udp);
	jump(c, BPF_JEQ, 4, MR_IP_PROTO_TCP, tcp);
	jump(c, BPF_JNE, 4, six ? MR_IP_PROTO_ICMP6 : MR_IP_PROTO_ICMP, c->miss);
	ebpf_load(e, BPF_B, 2, 7, 0);
	jump(c, BPF_JEQ, 2, six ? MR_ICMP6_ECHO : MR_ICMP4_ECHO, echo);
	jump(c, BPF_JNE, 2, six ? MR_ICMP6_ECHO_REPLY : MR_ICMP4_ECHO_REPLY, c->miss);
	ebpf_bind(e, echo);
	ebpf_load(e, BPF_B, 5, 7, 1);
	jump(c, BPF_JNE, 5, 0, c->miss);
	ebpf_load(e, BPF_H, 5, 7, 4);
	alu(c, BPF_LSH, 2, 24);
	alu_reg(c, BPF_OR, 5, 2);
	ebpf_jump(e, BPF_JMP | BPF_JA, 0, 0, 0, c->keyed);

	ebpf_bind(e, udp);
	ebpf_load(e, BPF_H, 2, 7, 4);
	ebpf_swap(e, 2, 16);
	jump(c, BPF_JLT, 2, 8, c->miss);
	jump_reg(c, BPF_JGT, 2, 3, c->miss);
	ebpf_load(e, BPF_W, 5, 7, 0);
	ebpf_jump(e, BPF_JMP | BPF_JA, 0, 0, 0, c->keyed);

	ebpf_bind(e, tcp);
	need(c, 7, 20, c->miss);
	ebpf_load(e, BPF_B, 2, 7, 12);
	alu(c, BPF_RSH, 2, 4);
	alu(c, BPF_LSH, 2, 2);
	jump(c, BPF_JLT, 2, 20, c->miss);
	jump_reg(c, BPF_JGT, 2, 3, c->miss);
	ebpf_load(e, BPF_B, 2, 7, 13);
	jump(c, BPF_JSET, 2, TCP_SPECIAL, c->miss);
	ebpf_load(e, BPF_W, 5, 7, 0);
	ebpf_jump(e, BPF_JMP | BPF_JA, 0, 0, 0, c->keyed);
}

/* To miss unless the header's checksum is right: r2 and r4 are used. */
static void
emit_sum4(struct code *c)
{
	struct ebpf *e = c->e;

	ebpf_load(e, BPF_W, 2, 7, 0);
	for (int16_t at = 4; at < 20; at += 4) {
		ebpf_load(e, BPF_W, 4, 7, at);
		alu_reg(c, BPF_ADD, 2, 4);
	}
	/* Below 2^35: 32 bits and a carry, then 16, thrice. */
	ebpf_mov(e, 4, 2);
	alu(c, BPF_RSH, 4, 32);
	ebpf_emit(e, BPF_ALU | BPF_MOV | BPF_X, 2, 2, 0, 0);
	alu_reg(c, BPF_ADD, 2, 4);
	for (unsigned i = 0; i < 3; i++) {
		ebpf_mov(e, 4, 2);
		alu(c, BPF_RSH, 4, 16);
		alu(c, BPF_AND, 2, 0xffff);
		alu_reg(c, BPF_ADD, 2, 4);
	}
	jump(c, BPF_JNE, 2, 0xffff, c->miss);
}

static void
emit_ip4(struct code *c)
{
	struct ebpf *e = c->e;

	need(c, 7, 28, c->miss);
	ebpf_load(e, BPF_B, 2, 7, 0);
	jump(c, BPF_JNE, 2, 0x45, c->miss);
	ebpf_load(e, BPF_H, 3, 7, 2);
	ebpf_swap(e, 3, 16);
	jump(c, BPF_JLT, 3, 28, c->miss);
	jump_reg(c, BPF_JGT, 3, 5, c->miss);
	ebpf_load(e, BPF_H, 2, 7, 6);
	jump(c, BPF_JSET, 2, mr_be16(MR_IP4_MORE_FRAGMENTS | MR_IP4_FRAG_OFFSET), c->miss);
	ebpf_load(e, BPF_B, 2, 7, 8);
	jump(c, BPF_JLT, 2, 2, c->miss);
	emit_sum4(c);
	ebpf_mov_imm(e, 4, 0);
	ebpf_load(e, BPF_W, 2, 7, 12);
	ebpf_store(e, BPF_DW, FP, 2, STACK_KEY);
	ebpf_store(e, BPF_DW, FP, 4, STACK_KEY + 8);
	ebpf_load(e, BPF_W, 2, 7, 16);
	ebpf_store(e, BPF_DW, FP, 2, STACK_KEY + 16);
	ebpf_store(e, BPF_DW, FP, 4, STACK_KEY + 24);
	ebpf_load(e, BPF_B, 4, 7, 9);
	emit_where(c);
	ebpf_add_imm(e, 3, -20);
	ebpf_add_imm(e, 7, 20);
	emit_layer4(c, false);
}

static void
emit_ip6(struct code *c)
{
	struct ebpf *e = c->e;

	need(c, 7, 48, c->miss);
	ebpf_load(e, BPF_B, 2, 7, 0);
	alu(c, BPF_RSH, 2, 4);
	jump(c, BPF_JNE, 2, 6, c->miss);
	ebpf_load(e, BPF_H, 3, 7, 4);
	ebpf_swap(e, 3, 16);
	jump(c, BPF_JLT, 3, 8, c->miss);
	/* The frame has 48 bytes from here on, so this is not below 0. */
	ebpf_add_imm(e, 5, -40);
	jump_reg(c, BPF_JGT, 3, 5, c->miss);
	ebpf_load(e, BPF_B, 2, 7, 7);
	jump(c, BPF_JLT, 2, 2, c->miss);
	for (int16_t at = 0; at < 32; at += 8) {
		ebpf_load(e, BPF_DW, 2, 7, (int16_t)(8 + at));
		ebpf_store(e, BPF_DW, FP, 2, (int16_t)(STACK_KEY + at));
	}
	ebpf_load(e, BPF_B, 4, 7, 6);
	emit_where(c);
	alu(c, BPF_OR, 8, 1 << SIX_SHIFT);
	ebpf_add_imm(e, 7, 40);
	emit_layer4(c, true);
}

/* r8 = the line of the key, when it is in force and takes the length. */
static void
emit_look_up(struct code *c, const struct xdp_offload_code *code)
{
	struct ebpf *e = c->e;

	ebpf_store(e, BPF_W, FP, 5, STACK_KEY + 32);
	ebpf_store(e, BPF_W, FP, 8, STACK_KEY + 36);
	load_map(c, code->hash_fd);
	ebpf_mov(e, 2, FP);
	ebpf_add_imm(e, 2, STACK_KEY);
	ebpf_call(e, BPF_FUNC_map_lookup_elem);
	jump(c, BPF_JEQ, 0, 0, c->miss);
	ebpf_load(e, BPF_W, 7, 0, offsetof(struct xdp_offload_value, incarnation));
	ebpf_load(e, BPF_W, 2, 0, offsetof(struct xdp_offload_value, slot));
	ebpf_store(e, BPF_W, FP, 2, STACK_SLOT);
	load_map(c, code->lines_fd);
	ebpf_mov(e, 2, FP);
	ebpf_add_imm(e, 2, STACK_SLOT);
	ebpf_call(e, BPF_FUNC_map_lookup_elem);
	jump(c, BPF_JEQ, 0, 0, c->miss);
	ebpf_mov(e, 8, 0);
	ebpf_load(e, BPF_W, 2, 8, LINE(incarnation));
	jump_reg(c, BPF_JNE, 2, 7, c->miss);
	ebpf_load(e, BPF_DW, 3, FP, STACK_LEN);
	ebpf_load(e, BPF_H, 2, 8, LINE(max_length));
	jump_reg(c, BPF_JGT, 3, 2, c->miss);
}

/* As mr_edit_ttl4 and mr_edit_ttl6. */
static void
emit_ttl(struct code *c)
{
	int none = ebpf_label(c->e), six = ebpf_label(c->e), even = ebpf_label(c->e);
	struct ebpf *e = c->e;

	ebpf_load(e, BPF_B, 2, 8, LINE(ip_at));
	jump(c, BPF_JEQ, 2, 0, none);
	alu(c, BPF_AND, 2, 63);
	ebpf_mov(e, 7, 6);
	alu_reg(c, BPF_ADD, 7, 2);
	need(c, 7, 20, c->abort);
	ebpf_load(e, BPF_B, 2, 8, LINE(version));
	jump(c, BPF_JEQ, 2, 6, six);
	ebpf_load(e, BPF_B, 2, 7, 8);
	ebpf_add_imm(e, 2, -1);
	ebpf_store(e, BPF_B, 7, 2, 8);
	ebpf_load(e, BPF_H, 2, 7, 10);
	ebpf_add_imm(e, 2, 1);
	jump(c, BPF_JLT, 2, 0xffff, even);
	ebpf_add_imm(e, 2, 1);
	ebpf_bind(e, even);
	ebpf_store(e, BPF_H, 7, 2, 10);
	ebpf_jump(e, BPF_JMP | BPF_JA, 0, 0, 0, none);
	ebpf_bind(e, six);
	ebpf_load(e, BPF_B, 2, 7, 7);
	ebpf_add_imm(e, 2, -1);
	ebpf_store(e, BPF_B, 7, 2, 7);
	ebpf_bind(e, none);
}

static void
emit_write(struct code *c)
{
	int done = ebpf_label(c->e);
	struct ebpf *e = c->e;

	ebpf_load(e, BPF_B, 2, 8, LINE(write_len));
	jump(c, BPF_JLT, 2, 12, done);
	for (int16_t at = 0; at < 12; at += 4) {
		ebpf_load(e, BPF_W, 3, 8, (int16_t)(LINE(write) + at));
		ebpf_store(e, BPF_W, 6, 3, at);
	}
	for (int16_t at = 12; at < 18; at += 2) {
		jump(c, BPF_JLT, 2, at + 2, done);
		ebpf_load(e, BPF_H, 3, 8, (int16_t)(LINE(write) + at));
		ebpf_store(e, BPF_H, 6, 3, at);
	}
	ebpf_bind(e, done);
}

static void
emit_add(struct code *c, int16_t field, uint8_t reg)
{
	ebpf_emit(c->e, BPF_STX | BPF_ATOMIC | BPF_DW, 8, reg, field, BPF_ADD);
}

static void
emit_forward(struct code *c)
{
	int same = ebpf_label(c->e);
	struct ebpf *e = c->e;

	ebpf_load(e, BPF_W, 2, 8, LINE(head));
	jump(c, BPF_JEQ, 2, 0, same);
	ebpf_load(e, BPF_DW, 1, FP, EBPF_STACK_CTX);
	ebpf_call(e, BPF_FUNC_xdp_adjust_head);
	jump(c, BPF_JNE, 0, 0, c->miss);
	ebpf_bind(e, same);
	load_frame(c);
	need(c, 6, 34, c->abort);
	emit_ttl(c);
	emit_write(c);
	ebpf_mov_imm(e, 1, 1);
	emit_add(c, LINE(packets), 1);
	ebpf_load(e, BPF_DW, 1, FP, STACK_LEN);
	emit_add(c, LINE(bytes), 1);
	ebpf_load(e, BPF_W, 1, 8, LINE(ifindex));
	ebpf_mov_imm(e, 2, 0);
	ebpf_call(e, BPF_FUNC_redirect);
	ebpf_exit(e);
}

void
xdp_offload_emit(struct ebpf *e, const struct xdp_offload_code *code)
{
	int four = ebpf_label(e), six = ebpf_label(e);
	struct code c = {
		.e = e,
		.miss = ebpf_label(e),
		.abort = ebpf_label(e),
		.keyed = ebpf_label(e),
	};

	emit_frame(&c, code->mac);
	emit_ethernet(&c, code->port, four, six);
	ebpf_bind(e, four);
	emit_ip4(&c);
	ebpf_bind(e, six);
	emit_ip6(&c);
	ebpf_bind(e, c.keyed);
	emit_look_up(&c, code);
	emit_forward(&c);
	/* What no frame that passed the checks above comes to, but the verifier cannot know. */
	ebpf_bind(e, c.abort);
	ebpf_mov_imm(e, 0, XDP_ABORTED);
	ebpf_exit(e);
	ebpf_bind(e, c.miss);
}
