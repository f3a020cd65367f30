/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Functions in pairs: for every two of them, either the configuration is refused with a sentence that
 * names both, or both do what they do for the packets that both see, with the flow lane and without.
 * None may be passed by in silence.
 *
 * A witness of each function is tried with every other one; what it expects of a packet are the ends
 * that it arrives with, wherever it arrives, and that its answer comes back.
 */
#include <arpa/inet.h>
#include <unistd.h>

#include "nf/lanes/compose_int.h"

#define LANES "lanes: {mode: flow}\n"

static char text_of[BED_TEXT_MAX];
static struct mr_model *model;

/* -- what is refused --------------------------------------------------------------------------- */

/* docs/concepts.md tells the same. */
static const struct {
	unsigned one, two; /* sets of functions: one of each */
	const char *sentence;
} refused[] = {
	{ C_BIT(MEMBER), C_BIT(NAT) | C_BIT(FORWARD) | C_BIT(STATIC),
	    "nat instance home: interface b is no router's but bridge br0's" },
	{ C_BIT(CROSS), C_BIT(NAT) | C_BIT(FORWARD) | C_BIT(STATIC),
	    "nat instance home: interface b is no router's but cross-connect" },
	{ C_BIT(MEMBER), C_BIT(NAT64),
	    "nat64 instance six: interface b is no router's but bridge br0's" },
	{ C_BIT(CROSS), C_BIT(NAT64),
	    "nat64 instance six: interface b is no router's but cross-connect" },
	{ C_BIT(MEMBER), C_BIT(PREFIX),
	    "nptv6 instance p: interface b is no router's but bridge br0's" },
	{ C_BIT(CROSS), C_BIT(PREFIX),
	    "nptv6 instance p: interface b is no router's but cross-connect" },
	{ C_BIT(MEMBER), C_BIT(LB) | C_BIT(IPIP) | C_BIT(L2),
	    "lb: interface a is no router's but bridge br0's" },
	{ C_BIT(CROSS), C_BIT(LB) | C_BIT(IPIP) | C_BIT(L2),
	    "lb: interface a is no router's but cross-connect" },
	{ C_BIT(MEMBER), C_BIT(GATEWAY), "interface b is in bridge br0 and cannot be in router r" },
	{ C_BIT(MEMBER), C_BIT(CROSS),
	    "interface a is cross-connected to b and cannot be in bridge br0" },
	{ C_BIT(GATEWAY), C_BIT(CROSS),
	    "interface a is cross-connected to b and cannot be in bridge home" },
};

static const char *
expected(unsigned on)
{
	for (unsigned i = 0; i < MR_ARRAY_COUNT(refused); i++)
		if ((on & refused[i].one) && (on & refused[i].two))
			return refused[i].sentence;
	return NULL;
}

/* What is wrong with it, all of it; empty: nothing. */
static void
check(const char *text, char *wrong, size_t size)
{
	struct mr_config *config = NULL;
	struct mr_report *report;
	size_t used = 0;

	wrong[0] = '\0';
	assert_int_equal(mr_report_create(&report), 0);
	if (mr_config_parse(&config, model, "pair", text, strlen(text), report) == 0)
		mr_dataplane_check(config, report);
	for (unsigned i = 0; i < mr_report_count(report) && used + 512 < size; i++) {
		mr_report_format(report, i, wrong + used, size - used);
		used += strlen(wrong + used);
		wrong[used++] = '\n';
		wrong[used] = '\0';
	}
	mr_report_destroy(report);
	mr_config_destroy(config);
}

/* -- pairs --------------------------------------------------------------------------------------- */

static void
open_network(struct compose *c, unsigned on, const char *text)
{
	bool flat = C_ON(on, MEMBER) || C_ON(on, CROSS);

	memset(c, 0, sizeof(*c));
	c->on = on;
	c->vlan_b = C_ON(on, VLAN) ? 7 : 0;
	c->vlan_a = flat ? c->vlan_b : 0;
	c->b = bed_open(text, LANES, BED_PLANES);
	for (unsigned i = 0; i < 4; i++)
		bed_tick(c->b, 1000);
}

static void
close_network(struct compose *c)
{
	bed_compare(c->b, false);
	bed_close(c->b);
}

/* Whether it is as it should be. */
static bool
pair(unsigned one, unsigned two, unsigned *works)
{
	unsigned on = 1u << one | 1u << two;
	struct bed_text text = { .at = text_of, .size = sizeof(text_of) };
	const char *sentence = expected(on), *wrong[2] = { NULL };
	static char report[8192];
	struct compose c;
	uint64_t replayed;

	compose_write(on, &text);
	check(text_of, report, sizeof(report));
	if (report[0] || sentence) {
		bool good = sentence && strstr(report, sentence);

		if (!good)
			print_error("%s and %s: %s\n", compose_names[one], compose_names[two],
			    report[0] ? report : "not refused");
		return good;
	}
	open_network(&c, on, text_of);
	wrong[0] = compose_witnesses[one](&c);
	wrong[1] = one == two ? NULL : compose_witnesses[two](&c);
	replayed = bed_lane_count(c.b, MR_LANE_COUNT_REPLAYED);
	for (unsigned i = 0; i < 2; i++)
		if (wrong[i])
			print_error("%s with %s: not %s\n", compose_names[i ? two : one],
			    compose_names[i ? one : two], wrong[i]);
	if (!replayed && one != C_PLUGIN && two != C_PLUGIN) {
		print_error("%s and %s: the lane replays nothing\n", compose_names[one],
		    compose_names[two]);
		wrong[0] = "";
	}
	if (!wrong[0] && !wrong[1]) {
		close_network(&c);
		++*works;
		return true;
	}
	bed_close(c.b);
	return false;
}

static void
every_pair_works_or_is_refused(void **state)
{
	unsigned bad = 0, works = 0, count = 0;

	for (unsigned one = 0; one < C_COUNT; one++)
		for (unsigned two = one; two < C_COUNT; two++, count++)
			bad += !pair(one, two, &works);
	print_message("%u pairs: %u work, %u are refused\n", count, works, count - works - bad);
	assert_int_equal(bad, 0);
}

/* -- what two functions share ------------------------------------------------------------------ */

#define NAT(name, more) "nat: {instance: {" name ": {outside: [b], hold-syn: 0" more "}}}\n"
#define LB(address, more) \
	"lb: {max: 1024, interface: [a, b, c], service: {web: {address: [" address "], " more \
	"backend: {one: {address: 10.2.0.9, port: 8080}}}}}\n"
#define UDP80 "protocol: udp, port: [80], "

/* Beyond the base; `witness` null: it is refused with this sentence. */
static const struct shared {
	unsigned on;
	const char *text, *sentence;
	const char *(*witness)(struct compose *);
} shares[] = {
	/* One outside port, one translator. */
	{ C_BIT(NAT), "nat64: {instance: {six: {outside: [b], inside: [a], pool: [10.1.0.1]}}}\n",
	    "nat64 instance six: its ports 1024-65535 of an address are also of nat instance home "
	    "(its ports 1024-65535)",
	    NULL },
	{ C_BIT(NAT),
	    "nat64: {instance: {six: {outside: [b], inside: [a], pool: [10.1.0.1], ports: "
	    "\"100-1000\"}}}\n",
	    NULL, compose_plain },
	{ C_BIT(FORWARD),
	    "nat64: {instance: {six: {outside: [b], inside: [a], pool: [10.1.0.1], ports: "
	    "\"100-1000\"}}}\n",
	    NULL, compose_forward },
	{ C_BIT(STATIC),
	    "nat64: {instance: {six: {outside: [b], inside: [a], pool: [10.1.0.77]}}}\n",
	    "nat64 instance six: its ports 1024-65535 of an address are also of nat instance home "
	    "(its static box)",
	    NULL },
	{ 0,
	    "nat64: {instance: {six: {outside: [b], inside: [a], pool: [10.1.0.200]}, seven: "
	    "{outside: [b], inside: [a], prefix: \"2001:db8:64::/96\", pool: [10.1.0.200]}}}\n",
	    "nat64 instance six: has an outside address of instance seven on the same interface|"
	    "nat64 instance seven: has an outside address of instance six on the same interface",
	    NULL },
	{ 0,
	    "nat: {instance: {one: {outside: [b], source: [10.0.0.0/24]}, two: {outside: [b], "
	    "source: [10.2.0.0/24]}}}\n",
	    "nat instance two: has an outside address of instance one on the same interface",
	    NULL },
	{ 0,
	    "nat: {instance: {one: {outside: [b], pool: [10.1.0.0/28]}, two: {outside: [b], pool: "
	    "[10.1.0.9]}}}\n",
	    "nat instance two: has an outside address of instance one on the same interface",
	    NULL },
	{ 0,
	    NAT("home",
		", pool: [10.1.0.50], forward: {web: {protocol: tcp, outside: 10.1.0.51, port: 80, "
		"to: 10.0.0.9}}"),
	    "nat instance home: forward web is of 10.1.0.51, which is not in the pool", NULL },
	/* Services stand behind translators. */
	{ 0, NAT("home", ", pool: [10.1.0.50]") LB("10.1.0.50", UDP80),
	    "service web: nat instance home (its pool) takes what comes for its address", NULL },
	{ C_BIT(NAT), LB("10.1.0.1", "protocol: udp, port: [8000], "),
	    "service web: nat instance home (its ports 1024-65535) takes", NULL },
	{ 0,
	    NAT("home", ", forward: {web: {protocol: udp, port: 80, to: 10.0.0.9}}")
		LB("10.1.0.1", UDP80),
	    "service web: nat instance home (its forward web) takes", NULL },
	{ C_BIT(STATIC), LB("10.1.0.77", UDP80),
	    "service web: nat instance home (its static box) takes", NULL },
	{ C_BIT(NAT), LB("10.1.0.1", UDP80), NULL, compose_own_service },
	{ C_BIT(NAT64), LB("10.1.0.200", "protocol: udp, port: [2000], "),
	    "service web: nat64 instance six has its address and port, too", NULL },
	{ C_BIT(PREFIX),
	    "lb: {interface: [a, b, c], service: {web: {address: [\"2001:db8:f1::80\"], protocol: "
	    "udp, "
	    "port: [80], backend: {one: {address: \"2001:db8:2::9\"}}}}}\n",
	    "service web: its address is in the outside-prefix of nptv6 instance p", NULL },
	/* The router's own. */
	{ 0,
	    "nptv6: {instance: {p: {outside: [b], inside-prefix: \"fd00::/48\", outside-prefix: "
	    "\"2001:db8:1::/48\"}}}\n",
	    "nptv6 instance p: outside-prefix 2001:db8:1::/48 holds 2001:db8:1::1/64 of interface "
	    "b "
	    "of router r",
	    NULL },
	/* Routers' addresses mean something in each. */
	{ C_BIT(VRF), NAT("home", ", inside: [f]"),
	    "nat instance home: interface f is router first's, and another of its interfaces is "
	    "router r's",
	    NULL },
	{ C_BIT(VRF), "nat64: {instance: {six: {outside: [b], inside: [f], pool: [10.1.0.200]}}}\n",
	    "nat64 instance six: interface f is router first's", NULL },
	/* VLANs by the name that a router has for them. */
	{ C_BIT(VLAN), "nat: {instance: {home: {outside: [b.7], hold-syn: 0}}}\n", NULL,
	    compose_masked },
	{ C_BIT(VLAN),
	    "nat: {instance: {home: {outside: [b.7], pool: [10.1.0.60], hold-syn: 0}}}\n", NULL,
	    compose_answers_arp },
	{ C_BIT(VLAN), "nat: {instance: {home: {outside: [b.8]}}}\n",
	    "nat instance home: there is no interface b.8, and no router has one of that name",
	    NULL },
	{ C_BIT(VLAN), "nat: {instance: {home: {outside: [b.7], inside: [b]}}}\n",
	    "b is outside, too", NULL },
};

static bool
share(const struct shared *s)
{
	struct bed_text text = { .at = text_of, .size = sizeof(text_of) };
	static char report[8192];
	char sentences[512], *sentence, *save;
	const char *wrong;
	struct compose c;
	bool found = false;

	compose_write(s->on, &text);
	bed_say(&text, "%s", s->text);
	check(text_of, report, sizeof(report));
	snprintf(sentences, sizeof(sentences), "%s", s->sentence ? s->sentence : "");
	for (sentence = strtok_r(sentences, "|", &save); sentence;
	     sentence = strtok_r(NULL, "|", &save))
		found |= strstr(report, sentence) != NULL;
	if (!s->witness || report[0]) {
		if (!found)
			print_error("%s%s\n", s->text, report[0] ? report : "not refused");
		return found;
	}
	open_network(&c, s->on, text_of);
	wrong = s->witness(&c);
	if (wrong)
		print_error("%snot %s\n", s->text, wrong);
	else
		bed_compare(c.b, false);
	bed_close(c.b);
	return !wrong;
}

static void
what_two_share_works_or_is_refused(void **state)
{
	unsigned bad = 0;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(shares); i++)
		bad += !share(&shares[i]);
	assert_int_equal(bad, 0);
}

/* -- the page ---------------------------------------------------------------------------------- */

static void
say_names(struct bed_text *t, unsigned set)
{
	const char *comma = "";

	for (unsigned f = 0; f < C_COUNT; f++) {
		if (!(set >> f & 1))
			continue;
		bed_say(t, "%s%s", comma, compose_names[f]);
		comma = ", ";
	}
}

/* The file beside this one's folder, by where the program was built. */
static char *
read_page(const char *name)
{
	char path[1024], *text = calloc(1, 1 << 20);
	ssize_t n = readlink("/proc/self/exe", path, 500);
	FILE *f;

	assert_true(text && n > 0);
	path[n] = '\0';
	*strrchr(path, '/') = '\0';
	snprintf(path + strlen(path), 500, "/../%.*s../../%s",
	    (int)(strrchr(__FILE__, '/') - __FILE__ + 1), __FILE__, name);
	f = fopen(path, "r");
	if (f && fread(text, 1, (1 << 20) - 1, f) > 0) {
		fclose(f);
		return text;
	}
	free(text);
	return NULL;
}

/* docs/concepts.md has the lines of the tables above. */
static void
the_page_says_what_is_refused(void **state)
{
	char *page = read_page("docs/concepts.md"), *save;
	struct bed_text t = { .at = text_of, .size = sizeof(text_of) };
	unsigned bad = 0;

	if (!page)
		skip();
	for (unsigned i = 0; i < MR_ARRAY_COUNT(refused); i++) {
		bed_say(&t, "| ");
		say_names(&t, refused[i].one);
		bed_say(&t, " | ");
		say_names(&t, refused[i].two);
		bed_say(&t, " | `%s` |\n", refused[i].sentence);
	}
	for (unsigned i = 0; i < MR_ARRAY_COUNT(shares); i++)
		if (shares[i].sentence)
			bed_say(&t, "- `%.*s`\n", (int)strcspn(shares[i].sentence, "|"),
			    shares[i].sentence);
	for (char *line = strtok_r(text_of, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (strstr(page, line))
			continue;
		print_error("%s\n", line);
		bad++;
	}
	free(page);
	assert_int_equal(bad, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_works_or_is_refused),
		cmocka_unit_test(what_two_share_works_or_is_refused),
		cmocka_unit_test(the_page_says_what_is_refused),
	};
	struct mr_error error;
	int rc;

	if (mr_nf_model(&model, &error)) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	mr_model_destroy(model);
	return rc;
}
