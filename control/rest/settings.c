/* SPDX-License-Identifier: Apache-2.0 */

/* The `rest` subtree of a configuration: what is wrong with it, and what the server makes of it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/http/settings.h"
#include "control/rest/rest_int.h"
#include "model/report.h"

static void
copy(char *to, size_t size, const struct mr_conf *node, const char *leaf)
{
	snprintf(to, size, "%s", mr_conf_text(node, leaf, ""));
}

static void
read_listen(struct mr_http_listen *l, const struct mr_conf *node)
{
	copy(l->address, sizeof(l->address), node, "address");
	l->port = (uint16_t)mr_conf_uint(node, "port", 0);
	copy(l->certificate, sizeof(l->certificate), node, "certificate");
	copy(l->key, sizeof(l->key), node, "key");
	copy(l->client_ca, sizeof(l->client_ca), node, "client-ca");
}

static void
read_hash(const char *text, uint8_t hash[MR_HTTP_HASH_SIZE])
{
	unsigned byte;

	text = strchr(text, ':') + 1; /* the pattern has seen to the rest */
	for (unsigned i = 0; i < MR_HTTP_HASH_SIZE; i++)
		if (sscanf(text + 2 * i, "%2x", &byte) == 1)
			hash[i] = (uint8_t)byte;
}

static void
read_user(struct mr_http_user *u, const struct mr_conf *node)
{
	const char *token = mr_conf_text(node, "token", NULL);

	copy(u->name, sizeof(u->name), node, "name");
	copy(u->certificate, sizeof(u->certificate), node, "certificate");
	u->role =
	    strcmp(mr_conf_text(node, "role", "read"), "admin") == 0 ? MR_HTTP_ADMIN : MR_HTTP_READ;
	u->has_token = token != NULL;
	if (token)
		read_hash(token, u->token);
}

void
rest_read_settings(struct mr_http_settings *s, const struct mr_config *config)
{
	const struct mr_conf *rest = mr_conf_child(mr_conf_root(config), "rest"), *node;
	const struct mr_conf *limits = mr_conf_child(rest, "limits");

	memset(s, 0, sizeof(*s));
	mr_conf_each(node, rest, "listen")
		if (s->listen_count < MR_HTTP_LISTENERS_MAX)
			read_listen(&s->listen[s->listen_count++], node);
	mr_conf_each(node, rest, "user")
		if (s->user_count < MR_HTTP_USERS_MAX)
			read_user(&s->users[s->user_count++], node);
	copy(s->group, sizeof(s->group), rest, "group");
	s->limits = (struct mr_http_limits){
		.connections = (unsigned)mr_conf_uint(limits, "connections", 512),
		.per_source = (unsigned)mr_conf_uint(limits, "connections-per-source", 128),
		.body = mr_conf_uint(limits, "body", 4 << 20),
		.header = mr_conf_uint(limits, "header", 16384),
		.memory = mr_conf_uint(limits, "memory", 64 << 20),
		.request_seconds = (unsigned)mr_conf_uint(limits, "request-timeout", 10),
		.idle_seconds = (unsigned)mr_conf_uint(limits, "idle-timeout", 60),
	};
}

static void
check_listen(const struct mr_config *config, const struct mr_conf *node, struct mr_report *report)
{
	const char *address = mr_conf_text(node, "address", "");
	bool certificate = mr_conf_present(node, "certificate");

	if (certificate != mr_conf_present(node, "key"))
		mr_report_at(report, config, node, "a certificate and its key come together");
	else if (!certificate && mr_conf_present(node, "client-ca"))
		mr_report_at(report, config, node,
		    "client-ca is for TLS, which needs a certificate and a key");
	else if (!certificate && !mr_http_is_loopback(address))
		mr_report_at(report, config, node,
		    "without a certificate tokens would cross the network in the clear: %s is no "
		    "loopback address, so it needs a certificate and a key",
		    address);
}

static void
check_user(const struct mr_config *config, const struct mr_conf *user, struct mr_report *report)
{
	const struct mr_conf *other;

	if (!mr_conf_present(user, "token") && !mr_conf_present(user, "certificate"))
		mr_report_at(report, config, user,
		    "a user has a token (see millrace token) or a certificate");
	for (other = mr_conf_next(user); other; other = mr_conf_next(other)) {
		if (strcmp(mr_conf_text(user, "token", ""), mr_conf_text(other, "token", "-")) == 0)
			mr_report_at(report, config, other, "%s has the same token",
			    mr_conf_key(user));
		if (strcmp(mr_conf_text(user, "certificate", ""),
			mr_conf_text(other, "certificate", "-")) == 0)
			mr_report_at(report, config, other, "%s has the same certificate",
			    mr_conf_key(user));
	}
}

void
rest_check(void *state, const struct mr_config *next, struct mr_report *report)
{
	const struct mr_conf *rest = mr_conf_child(mr_conf_root(next), "rest"), *node;

	(void)state;
	mr_conf_each(node, rest, "listen")
		check_listen(next, node, report);
	mr_conf_each(node, rest, "user")
		check_user(next, node, report);
	if (mr_conf_count(rest, "listen") > 0 && mr_conf_count(rest, "user") == 0)
		mr_report_at(report, next, mr_conf_child(rest, "listen"),
		    "nobody could log in: there is no user");
}
