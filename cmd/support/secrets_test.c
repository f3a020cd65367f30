/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/support/secrets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const char mr_yang_example[];

static void
a_configuration_is_stripped(void **state)
{
	static const char text[] =
	    "vault:\n"
	    "  a: {hidden: planted-one, open: 20}\n"
	    "  b: {bgp-password: 'sha256:0123456789abcdef0123', hidden: abc}\n";
	const char *const texts[] = { mr_yang_example };
	struct secrets s = { 0 };
	struct mr_config *config;
	struct mr_report *report;
	struct mr_error error;
	struct mr_model *model;
	char *printed, *out;
	size_t size;
	json_t *o;
	FILE *in;

	(void)state;
	assert_int_equal(mr_model_create(&model, texts, 1, &error), 0);
	assert_int_equal(mr_report_create(&report), 0);
	assert_int_equal(mr_config_parse(&config, model, "test", text, strlen(text), report), 0);
	in = open_memstream(&printed, &size);
	mr_conf_print_json(mr_conf_root(config), in);
	fclose(in);
	assert_non_null(strstr(printed, "planted-one"));
	o = json_loads(printed, 0, NULL);
	secrets_strip(&s, o, mr_conf_root(config));
	out = json_dumps(o, 0);
	assert_null(strstr(out, "planted"));
	assert_null(strstr(out, "sha256"));
	assert_null(strstr(out, "abc"));
	assert_non_null(strstr(out, "\"open\": 20"));
	assert_string_equal(s.removed, "vault/a/hidden\nvault/b/hidden\nvault/b/bgp-password\n");
	assert_false(s.full);

	secrets_blot(&s, printed, size);
	assert_null(strstr(printed, "planted-one"));
	assert_null(strstr(printed, "0123456789abcdef"));
	free(out);
	free(printed);
	json_decref(o);
	secrets_clear(&s);
	mr_config_destroy(config);
	mr_report_destroy(report);
	mr_model_destroy(model);
}

static void
what_does_not_load_is_scanned(void **state)
{
	static const char text[] = "rest: {user: [{token: inflow-secret, name: x}]}\n"
				   "\"my_password\" : \"quoted: secret\"\n"
				   "psk: 'single\nbroken: [\n"
				   "community: |\n"
				   "  first-line\n"
				   "  second-line\n"
				   "mtu: 1500\n"
				   "token: with,comma\n"
				   "token:";
	char log[] = "inflow-secret quoted: secret single first-line second-line 1500 with,comma x";
	struct secrets s = { 0 };

	(void)state;
	secrets_scan(&s, text);
	secrets_blot(&s, log, sizeof(log) - 1);
	assert_string_equal(log,
	    "************* ************** ****** ********** *********** 1500 ********** x");
	secrets_clear(&s);
}

static void
quotes_are_blotted(void **state)
{
	char text[] = "it's \"fast\" and 'so'\nnot \"ended\nhere";

	(void)state;
	secrets_blot_quoted(text, sizeof(text) - 1);
	assert_string_equal(text, "it's \"****\" and '**'\nnot \"*****\nhere");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_configuration_is_stripped),
		cmocka_unit_test(what_does_not_load_is_scanned),
		cmocka_unit_test(quotes_are_blotted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
