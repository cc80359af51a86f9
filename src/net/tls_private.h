/* What contexts (tls_context.c) and sessions (tls.c) of TLS share. Nobody else includes it. */
#pragma once

#include <stdatomic.h>
#include <stdio.h>

#include <openssl/ssl.h>

#include "net/tls.h"

#define TLS_PROBLEM_MAX 200u

struct tls_context {
	atomic_uint users;
	SSL_CTX *ctx;
	FILE *keylog;
	bool is_locked; /* a passphrase was asked for while the private key was read */
	uint8_t ticket_secret[32];
	SSL_SESSION *last; /* client: what the next session resumes */
};

/* The first sentence of OpenSSL's queue, which is emptied; gives out. */
const char *tls_error_text(char out[TLS_PROBLEM_MAX]);
