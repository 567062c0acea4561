/* The names in a certificate, its fingerprint, and when it is good.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Nothing that OpenSSL says here is an error of ours to be found later: its queue is left as it
 * was.
 */
#include "store/certname.h"

#include <apr_strings.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdint.h>

#include "base/text.h"

struct aw_cert_t {
    X509 *x509;
    aw_span_t der;
    aw_fingerprints_t prints;
};

/* --- reading --- */

static apr_status_t free_x509(void *x509)
{
    X509_free(x509);
    return APR_SUCCESS;
}

/* The certificate in a PEM text. A "TRUSTED CERTIFICATE", which says things of its own behind it,
 * is none. */
static X509 *read_pem(aw_span_t text)
{
    BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
    X509 *x509 = NULL;
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long len = 0;

    while (bio && !x509 && PEM_read_bio(bio, &name, &header, &data, &len)) {
        const unsigned char *at = data;
        const bool is = strcmp(name, PEM_STRING_X509) == 0;

        if (is) {
            x509 = d2i_X509(NULL, &at, len);
            if (x509 && at != data + len) {
                X509_free(x509);
                x509 = NULL;
            }
        }
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(data);
        if (is) {
            break;
        }
    }
    BIO_free(bio);
    return x509;
}

static X509 *read_der(aw_span_t text)
{
    const unsigned char *at = (const unsigned char *)text.ptr;
    X509 *x509 = d2i_X509(NULL, &at, (long)text.len);

    if (x509 && (const char *)at != text.ptr + text.len) {
        X509_free(x509);
        x509 = NULL;
    }
    return x509;
}

apr_status_t aw_cert_read(aw_cert_t **cert, aw_span_t text, apr_pool_t *p)
{
    aw_cert_t *made = apr_pcalloc(p, sizeof(*made));
    apr_status_t rv = APR_EINVAL;
    unsigned char *der = NULL;

    if (text.len == 0 || text.len > AW_CERT_MAX) {
        return APR_EINVAL;
    }
    ERR_set_mark();
    /* DER begins with a SEQUENCE, 0x30, which is the digit 0 in text: so ask DER first. */
    made->x509 = text.ptr[0] == 0x30 ? read_der(text) : NULL;
    if (!made->x509) {
        made->x509 = read_pem(text);
    }
    /* The encoding that was read, kept by OpenSSL: what was signed, and what others hash. */
    const int len = made->x509 ? i2d_X509(made->x509, &der) : -1;

    ERR_pop_to_mark();
    if (made->x509) {
        apr_pool_cleanup_register(p, made->x509, free_x509, apr_pool_cleanup_null);
    }
    if (len > 0) {
        char *copy = apr_palloc(p, (size_t)len);

        memcpy(copy, der, (size_t)len);
        made->der = (aw_span_t){copy, (size_t)len};
        rv = aw_fingerprints_make(&made->prints, made->der);
    }
    OPENSSL_free(der);
    if (rv == APR_SUCCESS) {
        *cert = made;
    }
    return rv;
}

aw_span_t aw_cert_der(const aw_cert_t *cert)
{
    return cert->der;
}

const aw_fingerprints_t *aw_cert_fingerprints(const aw_cert_t *cert)
{
    return &cert->prints;
}

/* --- names --- */

static const char *const words[AW_CERTNAME_COUNT] = {[AW_CERTNAME_CN] = "CN",
                                                     [AW_CERTNAME_DN] = "DN",
                                                     [AW_CERTNAME_SAN_EMAIL] = "SAN-email",
                                                     [AW_CERTNAME_SAN_UPN] = "SAN-upn",
                                                     [AW_CERTNAME_SAN_DNS] = "SAN-dns",
                                                     [AW_CERTNAME_SAN_URI] = "SAN-uri",
                                                     [AW_CERTNAME_FINGERPRINT] = "Fingerprint"};

const char *aw_certname_word(aw_certname_e kind)
{
    return words[kind];
}

bool aw_certname_parse(aw_span_t word, aw_certname_e *kind)
{
    for (unsigned k = 0; k < AW_CERTNAME_COUNT; k++) {
        if (aw_span_equal_nocase(word, aw_span(words[k]))) {
            *kind = (aw_certname_e)k;
            return true;
        }
    }
    return false;
}

/* Names that are gathered. `why` not NULL: one of them is refused, and with it all. */
typedef struct names_t {
    aw_span_t *names;
    size_t count;
    const char *why;
    apr_pool_t *p;
} names_t;

static const char *check(aw_span_t name)
{
    if (memchr(name.ptr, '\0', name.len)) {
        return "a name holds a NUL character";
    }
    if (aw_utf8_valid_prefix(name) != name.len) {
        return "a name is not of its character set";
    }
    if (aw_text_find_control(name) != name.len) {
        return "a name holds a control character";
    }
    return name.len > AW_CERTNAME_MAX ? "a name is longer than 1024 bytes" : NULL;
}

/* Adds a name unless it is empty or there already. */
static void add(names_t *names, aw_span_t name)
{
    if (name.len == 0 || names->why) {
        return;
    }
    names->why = check(name);
    for (size_t i = 0; i < names->count; i++) {
        if (aw_span_equal(names->names[i], name)) {
            return;
        }
    }
    if (!names->why && names->count == AW_CERTNAME_MANY) {
        names->why = "more than 256 names";
    }
    if (names->why) {
        return;
    }
    if (!names->names) {
        names->names = apr_palloc(names->p, AW_CERTNAME_MANY * sizeof(*names->names));
    }
    names->names[names->count++] =
        (aw_span_t){apr_pstrmemdup(names->p, name.ptr, name.len), name.len};
}

/* Adds a string of any of the character sets that X.509 has. */
static void add_string(names_t *names, const ASN1_STRING *string)
{
    unsigned char *utf8 = NULL;
    const int len = ASN1_STRING_to_UTF8(&utf8, string);

    if (len < 0) {
        names->why = "a name is not of its character set";
        return;
    }
    add(names, (aw_span_t){(const char *)utf8, (size_t)len});
    OPENSSL_free(utf8);
}

/* Adds a string of ASCII, which is what dNSName and its like are. */
static void add_ascii(names_t *names, const ASN1_STRING *string)
{
    const unsigned char *data = ASN1_STRING_get0_data(string);
    const int len = ASN1_STRING_length(string);

    for (int i = 0; i < len; i++) {
        if (data[i] > 0x7F) {
            names->why = "a name is not of its character set";
            return;
        }
    }
    add(names, (aw_span_t){(const char *)data, (size_t)len});
}

static void gather_cn(names_t *names, const aw_cert_t *cert)
{
    const X509_NAME *subject = X509_get_subject_name(cert->x509);
    int at = -1;

    while ((at = X509_NAME_get_index_by_NID((X509_NAME *)(uintptr_t)subject, NID_commonName, at)) >=
           0) {
        add_string(names, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    }
}

/* Whether the attribute is text, in which nothing invisible may hide; others are printed as
 * hexadecimal digits. */
static bool is_text(int type)
{
    return type == V_ASN1_UTF8STRING || type == V_ASN1_PRINTABLESTRING ||
           type == V_ASN1_IA5STRING || type == V_ASN1_T61STRING || type == V_ASN1_BMPSTRING ||
           type == V_ASN1_UNIVERSALSTRING || type == V_ASN1_NUMERICSTRING ||
           type == V_ASN1_VISIBLESTRING;
}

static void gather_dn(names_t *names, const aw_cert_t *cert)
{
    const X509_NAME *subject = X509_get_subject_name(cert->x509);
    names_t parts = {.p = names->p};
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;

    for (int i = 0; i < X509_NAME_entry_count(subject) && !parts.why; i++) {
        const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i));

        if (is_text(ASN1_STRING_type(value))) {
            parts.count = 0; /* only looked at */
            add_string(&parts, value);
        }
    }
    names->why = parts.why;
    if (!names->why && bio &&
        X509_NAME_print_ex(bio, subject, 0,
                           XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
        const long len = BIO_get_mem_data(bio, &text);

        add(names, (aw_span_t){text, len > 0 ? (size_t)len : 0});
    } else if (!names->why) {
        names->why = "the name cannot be written down";
    }
    BIO_free(bio);
}

/* Adds the user principal name in an otherName, if it is one. */
static void add_upn(names_t *names, const OTHERNAME *other)
{
    if (OBJ_obj2nid(other->type_id) != NID_ms_upn) {
        return;
    }
    if (!other->value || other->value->type != V_ASN1_UTF8STRING) {
        names->why = "a user principal name is no UTF8String";
        return;
    }
    add_string(names, other->value->value.utf8string);
}

static void gather_san(names_t *names, const aw_cert_t *cert, aw_certname_e kind)
{
    int found = 0;
    GENERAL_NAMES *all = X509_get_ext_d2i(cert->x509, NID_subject_alt_name, &found, NULL);

    if (!all) {
        names->why = found == -1   ? NULL
                     : found == -2 ? "there are two subjectAltName extensions"
                                   : "the subjectAltName extension is broken";
        return;
    }
    for (int i = 0; i < sk_GENERAL_NAME_num(all) && !names->why; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);

        if (name->type == GEN_EMAIL && kind == AW_CERTNAME_SAN_EMAIL) {
            add_ascii(names, name->d.rfc822Name);
        } else if (name->type == GEN_DNS && kind == AW_CERTNAME_SAN_DNS) {
            add_ascii(names, name->d.dNSName);
        } else if (name->type == GEN_URI && kind == AW_CERTNAME_SAN_URI) {
            add_ascii(names, name->d.uniformResourceIdentifier);
        } else if (name->type == GEN_OTHERNAME && kind == AW_CERTNAME_SAN_UPN) {
            add_upn(names, name->d.otherName);
        }
    }
    GENERAL_NAMES_free(all);
}

static void gather(names_t *names, const aw_cert_t *cert, aw_certname_e kind)
{
    char digits[2 * AW_SHA256_SIZE];

    switch (kind) {
    case AW_CERTNAME_CN:
        gather_cn(names, cert);
        break;
    case AW_CERTNAME_DN:
        gather_dn(names, cert);
        break;
    case AW_CERTNAME_FINGERPRINT:
        aw_hex_encode(digits, cert->prints.sha256, AW_SHA256_SIZE);
        add(names, (aw_span_t){digits, sizeof(digits)});
        break;
    default:
        gather_san(names, cert, kind);
        break;
    }
}

apr_status_t aw_cert_names(const aw_span_t **names, size_t *count, const char **why,
                           const aw_cert_t *cert, aw_certname_e kind, apr_pool_t *p)
{
    names_t gathered = {.p = p};

    ERR_set_mark();
    gather(&gathered, cert, kind);
    ERR_pop_to_mark();
    if (gathered.why) {
        *why = gathered.why;
        return APR_EINVAL;
    }
    if (gathered.count == 0) {
        return APR_NOTFOUND;
    }
    *names = gathered.names;
    *count = gathered.count;
    return APR_SUCCESS;
}

/* --- times --- */

/* An ASN.1 time in microseconds since the epoch. */
static bool to_time(const ASN1_TIME *from, apr_time_t *out)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;
    bool ok = false;

    ERR_set_mark();
    if (epoch && from && ASN1_TIME_check(from) && ASN1_TIME_diff(&days, &seconds, epoch, from)) {
        *out = apr_time_from_sec((apr_time_t)days * 86400 + seconds);
        ok = true;
    }
    ERR_pop_to_mark();
    ASN1_TIME_free(epoch);
    return ok;
}

aw_cert_time_e aw_cert_time(const aw_cert_t *cert, apr_time_t now)
{
    apr_time_t from, to;

    if (!to_time(X509_get0_notBefore(cert->x509), &from) ||
        !to_time(X509_get0_notAfter(cert->x509), &to)) {
        return AW_CERT_NO_TIME;
    }
    /* A whole second is included at either end. */
    return now < from                         ? AW_CERT_NOT_YET
           : now >= to + apr_time_from_sec(1) ? AW_CERT_EXPIRED
                                              : AW_CERT_IN_TIME;
}

bool aw_cert_expires(const aw_cert_t *cert, apr_time_t *expires)
{
    return to_time(X509_get0_notAfter(cert->x509), expires);
}
