/* SPDX-License-Identifier: Apache-2.0 */

/* TLS to a collector, whose certificate is checked. */

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "control/push/push_int.h"

static int
fail(const char *what, const char *name, struct mr_error *error)
{
	char reason[128] = "";

	ERR_error_string_n(ERR_get_error(), reason, sizeof(reason));
	ERR_clear_error();
	return mr_error_set(error, -EINVAL, "%s%s%s: %s", what, name ? " " : "", name ? name : "",
	    reason);
}

static int
load(SSL_CTX *ctx, const struct push_settings *s, struct mr_error *error)
{
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
		return fail("TLS", NULL, error);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (s->ca ? SSL_CTX_load_verify_locations(ctx, s->ca, NULL) != 1
		  : SSL_CTX_set_default_verify_paths(ctx) != 1)
		return fail("ca", s->ca, error);
	if (s->certificate && SSL_CTX_use_certificate_chain_file(ctx, s->certificate) != 1)
		return fail("certificate", s->certificate, error);
	if (s->key && SSL_CTX_use_PrivateKey_file(ctx, s->key, SSL_FILETYPE_PEM) != 1)
		return fail("key", s->key, error);
	if (s->key && SSL_CTX_check_private_key(ctx) != 1)
		return fail("key", s->key, error);
	return 0;
}

static bool
is_address(const char *name)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/* Whose certificate it has to be. */
static bool
expect(SSL *ssl, const char *name)
{
	if (is_address(name))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

int
push_tls_create(SSL **out, const struct push_settings *s, struct mr_error *error)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = NULL;
	int rc = ctx ? load(ctx, s, error) : fail("TLS", NULL, error);

	if (!rc) {
		ssl = SSL_new(ctx);
		if (!ssl || !expect(ssl, s->server_name ? s->server_name : s->host))
			rc = fail("TLS", NULL, error);
	}
	SSL_CTX_free(ctx); /* the connection has it */
	if (rc) {
		SSL_free(ssl);
		ssl = NULL;
	}
	*out = ssl;
	return rc;
}

int
push_tls_check(const struct push_settings *s, struct mr_error *error)
{
	SSL *ssl = NULL;
	int rc = s->tls ? push_tls_create(&ssl, s, error) : 0;

	SSL_free(ssl);
	return rc;
}
