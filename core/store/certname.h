/* The names in a certificate, its fingerprint, and when it is good.
 * SPDX-License-Identifier: Apache-2.0
 *
 * OpenSSL reads the certificate; nothing here says whether anybody should trust it.
 */
#ifndef AUTHWS_STORE_CERTNAME_H
#define AUTHWS_STORE_CERTNAME_H

#include <apr_time.h>

#include "store/certmap.h"

/* Longest certificate, in bytes of DER or PEM; a longer one is refused. */
#define AW_CERT_MAX (128 * 1024)

/* A certificate; lives in the pool that it was read into. One thread at a time. */
typedef struct aw_cert_t aw_cert_t;

/* Reads a certificate: DER, or PEM ("BEGIN CERTIFICATE"; the first one, text before it and behind
 * it allowed: what mod_ssl gives as SSL_CLIENT_CERT). Bytes behind the DER are refused. Lives in
 * `p`, copied. APR_EINVAL when it is none, APR_ENOMEM. */
apr_status_t aw_cert_read(aw_cert_t **cert, aw_span_t text, apr_pool_t *p);

/* Its DER and its fingerprints, borrowed from the certificate. */
aw_span_t aw_cert_der(const aw_cert_t *cert);
const aw_fingerprints_t *aw_cert_fingerprints(const aw_cert_t *cert);

typedef enum aw_certname_e {
    AW_CERTNAME_CN,          /* the subject's commonName attributes, as they stand */
    AW_CERTNAME_DN,          /* the subject in the form of RFC 2253, UTF-8 not escaped */
    AW_CERTNAME_SAN_EMAIL,   /* rfc822Name */
    AW_CERTNAME_SAN_UPN,     /* otherName 1.3.6.1.4.1.311.20.2.3 */
    AW_CERTNAME_SAN_DNS,     /* dNSName; punycode stays as it is */
    AW_CERTNAME_SAN_URI,     /* uniformResourceIdentifier */
    AW_CERTNAME_FINGERPRINT, /* SHA-256, 64 lower-case hexadecimal digits, no colons */
    AW_CERTNAME_COUNT
} aw_certname_e;

/* As in AuthWSCertificateUser: "CN", "SAN-email" ...; static. */
const char *aw_certname_word(aw_certname_e kind);

/* Finds a kind by its word, ignoring case; false when there is none. */
bool aw_certname_parse(aw_span_t word, aw_certname_e *kind);

/* Most names of one kind; a certificate with more is refused. */
#define AW_CERTNAME_MANY 256

/* Longest name in bytes. */
#define AW_CERTNAME_MAX 1024

/* All names of a kind, in the order of the certificate, UTF-8, without repetitions: *names (and a
 * NUL behind each) are in `p`. APR_SUCCESS: at least one. APR_NOTFOUND: none; an empty one is none.
 * APR_EINVAL and *why (static): one of them holds a NUL, another control character or bytes that
 * are not of its character set, is longer than AW_CERTNAME_MAX, or the extension is broken or there
 * twice; then no name of that kind is given, none cut or left out. Who wants one user from several
 * names refuses several, unless he knows that any will do. */
apr_status_t aw_cert_names(const aw_span_t **names, size_t *count, const char **why,
                           const aw_cert_t *cert, aw_certname_e kind, apr_pool_t *p);

typedef enum aw_cert_time_e {
    AW_CERT_IN_TIME,
    AW_CERT_NOT_YET, /* before notBefore */
    AW_CERT_EXPIRED, /* after notAfter */
    AW_CERT_NO_TIME  /* one of the times is broken: not to be accepted */
} aw_cert_time_e;

/* Whether a certificate is good at `now` by its own dates (RFC 5280 4.1.2.5: both ends included).
 */
aw_cert_time_e aw_cert_time(const aw_cert_t *cert, apr_time_t now);

/* notAfter in microseconds since the epoch; false when it is broken. For logs and lists. */
bool aw_cert_expires(const aw_cert_t *cert, apr_time_t *expires);

#endif
