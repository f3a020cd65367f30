/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/acl/acl_random_int.h"

static uint64_t seed = 7;

unsigned
draw(unsigned below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed * 0x2545f4914f6cdd1dull) >> 33) % below;
}

struct list lists[LISTS];
bool stateless;

/* -- random rules ------------------------------------------------------------------------------- */

static uint32_t
draw_address(void)
{
	static const uint32_t pool[] = { 0x0a000000, 0x0a000100, 0xc0000200, 0xc0000280 };

	return pool[draw(4)] + draw(24);
}

static void
draw_spans(struct spans *s, uint32_t (*value)(void), unsigned width)
{
	memset(s, 0, sizeof(*s));
	for (unsigned n = 1 + draw(3); n > 0; n--) {
		uint32_t first = value();
		bool there = false;

		/* A configuration has no value twice. */
		for (unsigned i = 0; i < s->with_count; i++)
			there |= s->with[i].first == first;
		if (there)
			continue;
		s->with[s->with_count].first = first;
		s->with[s->with_count++].last = first + (draw(2) ? 0 : draw(width));
	}
	if (draw(4) == 0) {
		s->without[0].first = s->with[0].first;
		s->without[0].last = s->without[0].first + draw(width / 2 + 1);
		/* Something has to be left. */
		if (s->without[0].last >= s->with[0].last)
			s->without_count = 0;
		else
			s->without_count = 1;
	}
}

static uint32_t
draw_port(void)
{
	return 78 + draw(12);
}

static uint32_t
draw_proto(void)
{
	static const uint8_t pool[] = { 6, 17, 6, 17, 1, 58, 47 };

	return pool[draw(sizeof(pool))];
}

static uint32_t
draw_small(void)
{
	return draw(6);
}

static void
draw_rule(struct rule *r, unsigned name, unsigned list)
{
	static const unsigned flags[] = { MR_TCP_SYN, MR_TCP_ACK, MR_TCP_FIN };

	memset(r, 0, sizeof(*r));
	r->name = name;
	r->icmp = -1;
	if (draw(6) == 0)
		r->family = draw(2) ? 4 : 6;
	if (draw(2))
		draw_spans(&r->src, draw_address, 30);
	if (draw(2))
		draw_spans(&r->dst, draw_address, 30);
	switch (draw(5)) {
	case 0:
		draw_spans(&r->proto, draw_proto, 1);
		break;
	case 1:
		r->proto.with_count = 1;
		r->proto.with[0].first = r->proto.with[0].last = 6;
		if (draw(2)) {
			r->flags_mask = flags[draw(3)] | flags[draw(3)];
			r->flags_value = draw(2) ? r->flags_mask : flags[draw(3)] & r->flags_mask;
		}
		/* fall through */
	case 2:
		if (draw(2))
			draw_spans(&r->sport, draw_port, 4);
		if (draw(3))
			draw_spans(&r->dport, draw_port, 4);
		break;
	case 3:
		r->icmp = (int)draw(4);
		r->family = r->family ? r->family : draw(2) ? 4 : 6;
		break;
	default:
		break;
	}
	if (draw(10) == 0)
		draw_spans(&r->dscp, draw_small, 4);
	if (draw(10) == 0)
		draw_spans(&r->vlan, draw_small, 4);
	if (draw(12) == 0)
		r->fragment = 1 + draw(4);
	if (draw(5) == 0 && !stateless)
		r->states = 1 + draw(31);
	if (draw(10) == 0)
		r->mark = 1 + draw(3);
	if (draw(10) == 0)
		r->set_mark = 1 + draw(3);
	r->action = (enum acl_action)draw(ACL_ACTIONS);
	if (r->action == ACL_REJECT)
		r->action = ACL_DROP;
	r->to = list + 1;
	if ((r->action == ACL_JUMP || r->action == ACL_GOTO) && r->to >= LISTS)
		r->action = ACL_CONTINUE;
}

void
change_list(unsigned n)
{
	static unsigned names;
	struct list *l = &lists[n];

	if (draw(4) == 0)
		l->decide = draw(2) ? ACL_ACCEPT : ACL_DROP;
	if (draw(8) == 0)
		l->stateful = draw(2) && !stateless;
	for (unsigned k = draw(4); k > 0; k--) {
		unsigned at = draw(l->count + 1);

		switch (draw(4)) {
		case 0:
			if (at == l->count)
				break;
			memmove(&l->rules[at], &l->rules[at + 1],
			    (l->count - at - 1) * sizeof(l->rules[0]));
			l->count--;
			break;
		case 1:
			if (at < l->count)
				draw_rule(&l->rules[at], l->rules[at].name, n);
			break;
		case 2:
			/* Two change places. */
			if (at + 1 < l->count) {
				struct rule r = l->rules[at];

				l->rules[at] = l->rules[at + 1];
				l->rules[at + 1] = r;
			}
			break;
		default:
			if (l->count == RULES_MAX)
				break;
			memmove(&l->rules[at + 1], &l->rules[at],
			    (l->count - at) * sizeof(l->rules[0]));
			draw_rule(&l->rules[at], ++names, n);
			l->count++;
		}
	}
}

/* -- as text ------------------------------------------------------------------------------------- */

static void
print_address(FILE *f, uint32_t a, bool six)
{
	if (six)
		fprintf(f, "2001:db8::%x:%x", a >> 16, a & 0xffff);
	else
		fprintf(f, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

static void
print_list(FILE *f, const char *leaf, const struct spans *s, bool without, unsigned family)
{
	unsigned count = without ? s->without_count : s->with_count;
	const char *comma = "";

	if (!count)
		return;
	fprintf(f, ", %s%s: [", leaf, without ? "-not" : "");
	for (unsigned i = 0; i < count; i++) {
		uint32_t first = without ? s->without[i].first : s->with[i].first;
		uint32_t last = without ? s->without[i].last : s->with[i].last;

		for (unsigned six = 0; six < 2; six++) {
			if (family && family != (six ? 6u : 4u))
				continue;
			fprintf(f, "%s\"", comma);
			print_address(f, first, six);
			fprintf(f, "-");
			print_address(f, last, six);
			fprintf(f, "\"");
			comma = ", ";
		}
	}
	fprintf(f, "]");
}

static void
print_numbers(FILE *f, const char *leaf, const struct spans *s, bool without)
{
	unsigned count = without ? s->without_count : s->with_count;

	if (!count)
		return;
	fprintf(f, ", %s%s: [", leaf, without ? "-not" : "");
	for (unsigned i = 0; i < count; i++) {
		uint32_t first = without ? s->without[i].first : s->with[i].first;
		uint32_t last = without ? s->without[i].last : s->with[i].last;

		if (first == last)
			fprintf(f, "%s\"%u\"", i ? ", " : "", first);
		else
			fprintf(f, "%s\"%u-%u\"", i ? ", " : "", first, last);
	}
	fprintf(f, "]");
}

static void
print_rule(FILE *f, const struct rule *r)
{
	static const char *const flags[] = { "fin", "syn", "rst", "psh", "ack" };
	static const char *const fragments[] = { "", "\"no\"", "first", "later", "any" };
	static const char *const states[] = { "new", "established", "related", "invalid",
		"untracked" };
	const char *comma = "";

	fprintf(f, "        - {name: %u", r->name);
	if (r->family)
		fprintf(f, ", family: ip%u", r->family);
	for (unsigned without = 0; without < 2; without++) {
		print_list(f, "source", &r->src, without, r->family);
		print_list(f, "destination", &r->dst, without, r->family);
		print_numbers(f, "protocol", &r->proto, without);
		print_numbers(f, "source-port", &r->sport, without);
		print_numbers(f, "destination-port", &r->dport, without);
		if (without)
			continue;
		print_numbers(f, "dscp", &r->dscp, false);
		print_numbers(f, "vlan", &r->vlan, false);
	}
	if (r->icmp >= 0)
		fprintf(f, ", %s: %d", r->family == 4 ? "icmp-type" : "icmp6-type", r->icmp);
	if (r->flags_mask) {
		fprintf(f, ", tcp-flags: \"");
		for (unsigned i = 0; i < 5; i++) {
			if (!(r->flags_mask >> i & 1))
				continue;
			fprintf(f, "%s%s%s", comma, r->flags_value >> i & 1 ? "" : "!", flags[i]);
			comma = ",";
		}
		fprintf(f, "\"");
	}
	if (r->fragment)
		fprintf(f, ", fragment: %s", fragments[r->fragment]);
	if (r->states) {
		fprintf(f, ", state: [");
		for (unsigned i = 0; i < 5; i++)
			if (r->states >> i & 1)
				fprintf(f, "%s, ", states[i]);
		fprintf(f, "]");
	}
	if (r->mark)
		fprintf(f, ", mark: \"%u\"", r->mark);
	if (r->set_mark)
		fprintf(f, ", set-mark: \"%u\"", r->set_mark);
	fprintf(f, ", action: %s", acl_action_names[r->action]);
	if (r->action == ACL_JUMP || r->action == ACL_GOTO)
		fprintf(f, ", to: l%u", r->to);
	fprintf(f, "}\n");
}

char *
print_all(void)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	fprintf(f, "acl:\n  interface: {a: {in: l0}, %s: {out: l1}}\n  list:\n",
	    stateless ? "c" : "b");
	for (unsigned n = 0; n < LISTS; n++) {
		fprintf(f, "    l%u:\n      default: %s\n      stateful: %s\n", n,
		    acl_action_names[lists[n].decide], lists[n].stateful ? "true" : "false");
		fprintf(f, "      neighbor-discovery: rules\n      rule:\n");
		for (unsigned i = 0; i < lists[n].count; i++)
			print_rule(f, &lists[n].rules[i]);
		if (!lists[n].count)
			fprintf(f, "        []\n");
	}
	fclose(f);
	return text;
}

/* -- the obvious reading --------------------------------------------------------------------------- */

static bool
in(const struct spans *s, uint32_t value)
{
	bool yes = !s->with_count;

	for (unsigned i = 0; i < s->with_count; i++)
		yes |= value >= s->with[i].first && value <= s->with[i].last;
	for (unsigned i = 0; i < s->without_count; i++)
		yes &= value < s->without[i].first || value > s->without[i].last;
	return yes;
}

static bool
matches(const struct rule *r, const struct packet *p, unsigned state, uint32_t mark)
{
	bool whole = p->fragment != 3;
	bool ports = whole && (p->proto == 6 || p->proto == 17);
	bool icmp = whole && p->proto == (p->family == 4 ? 1 : 58);
	bool fragments[] = { true, !p->fragment, p->fragment == 2, p->fragment == 3,
		p->fragment != 0 };

	if (r->family && r->family != p->family)
		return false;
	if ((r->sport.with_count || r->dport.with_count || r->flags_mask) && !ports)
		return false;
	if (r->icmp >= 0 && (!icmp || (int)p->type != r->icmp))
		return false;
	if (r->flags_mask && (p->proto != 6 || (p->tcp_flags & r->flags_mask) != r->flags_value))
		return false;
	return in(&r->src, p->src) && in(&r->dst, p->dst) && in(&r->proto, p->proto) &&
	    in(&r->sport, p->sport) && in(&r->dport, p->dport) && in(&r->dscp, p->dscp) &&
	    in(&r->vlan, p->vlan) && fragments[r->fragment] &&
	    (!r->states || (r->states & state)) && (!r->mark || r->mark == mark);
}

enum said { FALLS_OUT, ACCEPTS, DROPS };

/* -1: no verdict. */
static enum said
read_list(const struct list *l, const struct packet *p, unsigned state, uint32_t *mark)
{
	for (unsigned i = 0; i < l->count; i++) {
		const struct rule *r = &l->rules[i];
		enum said said;

		if (!matches(r, p, state, *mark))
			continue;
		if (r->set_mark)
			*mark = r->set_mark;
		switch (r->action) {
		case ACL_ACCEPT:
			return ACCEPTS;
		case ACL_DROP:
			return DROPS;
		case ACL_JUMP:
		case ACL_GOTO:
			said = read_list(&lists[r->to], p, state, mark);
			if (said != FALLS_OUT || r->action == ACL_GOTO)
				return said;
			break;
		case ACL_RETURN:
			return FALLS_OUT;
		default:
			break;
		}
	}
	return FALLS_OUT;
}

bool
passes(const struct list *l, const struct packet *p, unsigned state, uint32_t *mark)
{
	enum said said;

	if (l->stateful && (state & (MR_TRACK_ESTABLISHED | MR_TRACK_RELATED)))
		return true;
	if (l->stateful && state == MR_TRACK_INVALID)
		return false;
	said = read_list(l, p, state, mark);
	return said == FALLS_OUT ? l->decide == ACL_ACCEPT : said == ACCEPTS;
}

/* -- packets -------------------------------------------------------------------------------------- */

void
draw_packet(struct packet *p)
{
	static const unsigned flags[] = { MR_TCP_SYN, MR_TCP_ACK, MR_TCP_FIN, 0x12, 0x11, 0 };

	memset(p, 0, sizeof(*p));
	p->family = draw(2) ? 4 : 6;
	p->src = draw_address();
	p->dst = draw_address();
	p->proto = draw_proto();
	p->dscp = draw(8) ? 0 : draw(7);
	p->vlan = draw(8) ? 0 : draw(7);
	p->fragment = draw(12) ? 0 : 2 + draw(2);
	p->payload = 64;
	if (p->proto == 6 || p->proto == 17) {
		p->sport = draw_port();
		p->dport = draw_port();
	}
	if (p->proto == 6)
		p->tcp_flags = flags[draw(6)];
	if (p->proto == 1 || p->proto == 58)
		p->type = draw(4);
	if (p->fragment == 3)
		p->sport = p->dport = p->tcp_flags = p->type = 0;
}
