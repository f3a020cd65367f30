/* SPDX-License-Identifier: Apache-2.0 */

/* TLS by OpenSSL: 1.2 and later, certificates and keys from PEM files, client certificates where a
 * listener names the authority that made them. */

#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "control/http/http_int.h"

static int
fail(struct mr_error *error, const struct mr_http_listen *where, const char *what, const char *path)
{
	unsigned long code = ERR_peek_last_error();
	const char *why = code ? ERR_reason_error_string(code) : NULL;

	if (code && ERR_GET_LIB(code) == ERR_LIB_SYS)
		why = strerror(ERR_GET_REASON(code));
	mr_error_set(error, -EINVAL, "%s port %u: %s %s: %s", where->address, where->port, what,
	    path, why ? why : "cannot be used");
	ERR_clear_error();
	return -EINVAL;
}

static int
load(SSL_CTX *ctx, const struct mr_http_listen *where, struct mr_error *error)
{
	STACK_OF(X509_NAME) * names;

	if (SSL_CTX_use_certificate_chain_file(ctx, where->certificate) != 1)
		return fail(error, where, "certificate", where->certificate);
	if (SSL_CTX_use_PrivateKey_file(ctx, where->key, SSL_FILETYPE_PEM) != 1)
		return fail(error, where, "key", where->key);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return fail(error, where, "key", where->key);
	if (!where->client_ca[0])
		return 0;
	names = SSL_load_client_CA_file(where->client_ca);
	if (!names || SSL_CTX_load_verify_locations(ctx, where->client_ca, NULL) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return fail(error, where, "client authority", where->client_ca);
	}
	SSL_CTX_set_client_CA_list(ctx, names);
	/* Who has none may have a token. */
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	return 0;
}

int
http_tls_create(SSL_CTX **out, const struct mr_http_listen *where, struct mr_error *error)
{
	static const unsigned char id[] = "millrace";
	SSL_CTX *ctx;
	int rc;

	ERR_clear_error();
	*out = NULL;
	ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx)
		return mr_error_set(error, -ENOMEM, "TLS: no memory");
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
		SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	/* No sessions are kept: a connection is worth its handshake, and memory stays bounded. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
	rc = load(ctx, where, error);
	if (rc) {
		SSL_CTX_free(ctx);
		return rc;
	}
	*out = ctx;
	return 0;
}

void
http_tls_destroy(SSL_CTX *ctx)
{
	SSL_CTX_free(ctx);
}

struct bufferevent *
http_tls_accept(struct event_base *base, SSL_CTX *ctx)
{
	SSL *ssl = SSL_new(ctx);
	struct bufferevent *bev;

	if (!ssl)
		return NULL;
	bev = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING,
	    BEV_OPT_CLOSE_ON_FREE);
	if (!bev) {
		SSL_free(ssl);
		return NULL;
	}
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1); /* lengths are in the messages */
	return bev;
}

bool
http_tls_name(struct bufferevent *bev, char *name, size_t size)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	X509 *certificate = ssl ? SSL_get1_peer_certificate(ssl) : NULL;
	unsigned char *text = NULL;
	X509_NAME *subject;
	bool good = false;
	int at, len;

	if (!certificate)
		return false;
	subject = X509_get_subject_name(certificate);
	at = subject ? X509_NAME_get_index_by_NID(subject, NID_commonName, -1) : -1;
	if (at >= 0 && SSL_get_verify_result(ssl) == X509_V_OK) {
		len = ASN1_STRING_to_UTF8(&text,
		    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
		/* A zero byte inside would make it look like another name. */
		good = len > 0 && (size_t)len < size && !memchr(text, 0, (size_t)len);
		if (good) {
			memcpy(name, text, (size_t)len);
			name[len] = 0;
		}
		OPENSSL_free(text);
	}
	X509_free(certificate);
	return good;
}
