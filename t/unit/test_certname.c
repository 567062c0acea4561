/* Names in certificates: all of them, and none that hides something.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each test makes the certificate that it is about.
 */
#include "mutate.h"
#include "unit.h"

#include <apr_strings.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "store/certname.h"

#define START 1600000000 /* 2020-09-13T12:26:40Z */
#define HOUR  3600

static apr_pool_t *pool;
static EVP_PKEY *key;
static X509 *made; /* the certificate that is being made */

static void begin(void)
{
    ERR_clear_error();
    apr_pool_create(&pool, NULL);
    key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    made = X509_new();
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    CU_ASSERT_PTR_NOT_NULL_FATAL(made);
    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    ASN1_TIME_set(X509_getm_notBefore(made), START);
    ASN1_TIME_set(X509_getm_notAfter(made), START + HOUR);
    X509_set_pubkey(made, key);
}

static void end(void)
{
    X509_free(made);
    EVP_PKEY_free(key);
    apr_pool_destroy(pool);
}

static void add_attribute(const char *name, int type, const char *value, int len)
{
    X509_NAME *subject = X509_get_subject_name(made);

    CU_ASSERT_FATAL(X509_NAME_add_entry_by_txt(subject, name, type, (const unsigned char *)value,
                                               len, -1, 0) == 1);
}

/* Adds a name of a type to *all. */
static void add_name(GENERAL_NAMES **all, int type, int string_type, const char *value, size_t len)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *string = ASN1_STRING_type_new(string_type);

    ASN1_STRING_set(string, value, (int)len);
    if (type == GEN_OTHERNAME) {
        ASN1_TYPE *any = ASN1_TYPE_new();

        ASN1_TYPE_set(any, string_type, string);
        GENERAL_NAME_set0_othername(name, OBJ_nid2obj(NID_ms_upn), any);
    } else {
        GENERAL_NAME_set0_value(name, type, string);
    }
    if (!*all) {
        *all = sk_GENERAL_NAME_new_null();
    }
    sk_GENERAL_NAME_push(*all, name);
}

/* Puts the names in the certificate as an extension, one more when there is one. */
static void put_names(GENERAL_NAMES *all)
{
    CU_ASSERT_EQUAL_FATAL(X509_add1_ext_i2d(made, NID_subject_alt_name, all, 0, X509V3_ADD_APPEND),
                          1);
    GENERAL_NAMES_free(all);
}

/* Signs what was made; its DER, in `pool`. */
static aw_span_t sign(void)
{
    unsigned char *der = NULL;

    CU_ASSERT_FATAL(X509_sign(made, key, NULL) > 0);
    const int len = i2d_X509(made, &der);

    CU_ASSERT_FATAL(len > 0);
    char *copy = apr_pmemdup(pool, der, (apr_size_t)len);

    OPENSSL_free(der);
    return (aw_span_t){copy, (size_t)len};
}

static aw_cert_t *read_back(void)
{
    aw_cert_t *cert = NULL;

    CU_ASSERT_EQUAL_FATAL(aw_cert_read(&cert, sign(), pool), APR_SUCCESS);
    return cert;
}

/* The names of a kind, one a line; "!" and why they are refused; "-" when there is none. */
static const char *names_of(const aw_cert_t *cert, aw_certname_e kind)
{
    const aw_span_t *names = NULL;
    const char *why = NULL, *out = "";
    size_t count = 0;
    const apr_status_t rv = aw_cert_names(&names, &count, &why, cert, kind, pool);

    CU_ASSERT_EQUAL(ERR_peek_error(), 0);
    if (rv == APR_NOTFOUND) {
        return "-";
    }
    if (rv != APR_SUCCESS) {
        CU_ASSERT_EQUAL(rv, APR_EINVAL);
        return apr_pstrcat(pool, "!", why, NULL);
    }
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(names[i].len, strlen(names[i].ptr));
        out = apr_pstrcat(pool, out, i > 0 ? "\n" : "", names[i].ptr, NULL);
    }
    return out;
}

static void every_common_name_is_given_in_order_and_once(void)
{
    begin();
    add_attribute("CN", MBSTRING_UTF8, "Jane, Doe+x", -1);
    add_attribute("O", MBSTRING_UTF8, "Example", -1);
    add_attribute("CN", V_ASN1_BMPSTRING, "\0J\0\xf6\0r\0g", 8);
    add_attribute("CN", MBSTRING_UTF8, "Jane, Doe+x", -1);
    CU_ASSERT_STRING_EQUAL(names_of(read_back(), AW_CERTNAME_CN), "Jane, Doe+x\nJ\xc3\xb6rg");
    end();
}

static void a_distinguished_name_is_written_as_rfc_2253_says(void)
{
    begin();
    add_attribute("O", MBSTRING_UTF8, "Example, \"Inc\"", -1);
    add_attribute("CN", MBSTRING_UTF8, "J\xc3\xb6rg #1 ", -1);
    CU_ASSERT_STRING_EQUAL(names_of(read_back(), AW_CERTNAME_DN),
                           "CN=J\xc3\xb6rg #1\\ ,O=Example\\, \\\"Inc\\\"");
    end();
}

static void names_that_hide_something_are_refused_not_cut(void)
{
    static const struct {
        int type;
        const char *value;
        int len;
        const char *why;
    } vectors[] = {{V_ASN1_UTF8STRING, "admin\0.example.com", 18, "!a name holds a NUL character"},
                   {V_ASN1_PRINTABLESTRING, "admin\0x", 7, "!a name holds a NUL character"},
                   {V_ASN1_BMPSTRING, "\0a\0\0", 4, "!a name holds a NUL character"},
                   {V_ASN1_UTF8STRING, "a\nb", 3, "!a name holds a control character"},
                   {V_ASN1_UTF8STRING, "a\xc2\x85", 3, "!a name holds a control character"},
                   {V_ASN1_T61STRING, "a\x1b[2J", 5, "!a name holds a control character"}};

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        begin();
        add_attribute("CN", MBSTRING_UTF8, "first", -1);
        add_attribute("CN", vectors[i].type, vectors[i].value, vectors[i].len);
        const aw_cert_t *cert = read_back();

        CU_ASSERT_STRING_EQUAL(names_of(cert, AW_CERTNAME_CN), vectors[i].why);
        CU_ASSERT_STRING_EQUAL(names_of(cert, AW_CERTNAME_DN), vectors[i].why);
        CU_ASSERT_STRING_EQUAL(names_of(cert, AW_CERTNAME_SAN_DNS), "-");
        end();
    }
}

static void a_name_that_is_too_long_is_refused(void)
{
    char name[AW_CERTNAME_MAX + 1];

    memset(name, 'a', sizeof(name));
    for (size_t n = AW_CERTNAME_MAX; n <= AW_CERTNAME_MAX + 1; n++) {
        GENERAL_NAMES *all = NULL;

        begin();
        add_name(&all, GEN_EMAIL, V_ASN1_IA5STRING, name, n);
        put_names(all);
        const char *names = names_of(read_back(), AW_CERTNAME_SAN_EMAIL);

        CU_ASSERT_EQUAL(names[0], n > AW_CERTNAME_MAX ? '!' : 'a');
        end();
    }
}

static void alternative_names_are_told_apart_by_their_kind(void)
{
    GENERAL_NAMES *all = NULL;

    begin();
    add_name(&all, GEN_EMAIL, V_ASN1_IA5STRING, "jane@example.com", 16);
    add_name(&all, GEN_DNS, V_ASN1_IA5STRING, "xn--bcher-kva.example", 21);
    add_name(&all, GEN_OTHERNAME, V_ASN1_UTF8STRING, "j\xc3\xb6rg@example.com", 17);
    add_name(&all, GEN_URI, V_ASN1_IA5STRING, "urn:x", 5);
    add_name(&all, GEN_DNS, V_ASN1_IA5STRING, "", 0);
    add_name(&all, GEN_EMAIL, V_ASN1_IA5STRING, "j@example.com", 13);
    put_names(all);
    const aw_cert_t *cert = read_back();

    CU_ASSERT_STRING_EQUAL(names_of(cert, AW_CERTNAME_SAN_EMAIL),
                           "jane@example.com\nj@example.com");
    CU_ASSERT_STRING_EQUAL(names_of(cert, AW_CERTNAME_SAN_DNS), "xn--bcher-kva.example");
    CU_ASSERT_STRING_EQUAL(names_of(cert, AW_CERTNAME_SAN_UPN), "j\xc3\xb6rg@example.com");
    CU_ASSERT_STRING_EQUAL(names_of(cert, AW_CERTNAME_SAN_URI), "urn:x");
    CU_ASSERT_STRING_EQUAL(names_of(cert, AW_CERTNAME_CN), "-");
    CU_ASSERT_STRING_EQUAL(names_of(cert, AW_CERTNAME_DN), "-");
    end();
}

static void alternative_names_that_hide_something_are_refused(void)
{
    static const struct {
        int type, string_type;
        aw_certname_e kind;
        const char *value;
        size_t len;
    } vectors[] = {{GEN_EMAIL, V_ASN1_IA5STRING, AW_CERTNAME_SAN_EMAIL, "admin@x\0y", 9},
                   {GEN_DNS, V_ASN1_IA5STRING, AW_CERTNAME_SAN_DNS, "a\r\nb", 4},
                   {GEN_URI, V_ASN1_IA5STRING, AW_CERTNAME_SAN_URI, "urn:\xc3\xb6", 6},
                   {GEN_OTHERNAME, V_ASN1_UTF8STRING, AW_CERTNAME_SAN_UPN, "admin\0", 6},
                   {GEN_OTHERNAME, V_ASN1_UTF8STRING, AW_CERTNAME_SAN_UPN, "a\xff", 2},
                   {GEN_OTHERNAME, V_ASN1_OCTET_STRING, AW_CERTNAME_SAN_UPN, "admin", 5}};

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        GENERAL_NAMES *all = NULL;

        begin();
        add_name(&all, GEN_DNS, V_ASN1_IA5STRING, "good.example", 12);
        add_name(&all, vectors[i].type, vectors[i].string_type, vectors[i].value, vectors[i].len);
        put_names(all);
        const aw_cert_t *cert = read_back();

        CU_ASSERT_EQUAL(names_of(cert, vectors[i].kind)[0], '!');
        CU_ASSERT_EQUAL(names_of(cert, AW_CERTNAME_SAN_DNS)[0],
                        vectors[i].kind == AW_CERTNAME_SAN_DNS ? '!' : 'g');
        end();
    }
}

static void an_extension_that_is_there_twice_gives_no_name(void)
{
    GENERAL_NAMES *one = NULL, *two = NULL;

    begin();
    add_name(&one, GEN_DNS, V_ASN1_IA5STRING, "a.example", 9);
    add_name(&two, GEN_DNS, V_ASN1_IA5STRING, "b.example", 9);
    put_names(one);
    put_names(two);
    CU_ASSERT_STRING_EQUAL(names_of(read_back(), AW_CERTNAME_SAN_DNS),
                           "!there are two subjectAltName extensions");
    end();
}

static void a_certificate_with_too_many_names_is_refused(void)
{
    GENERAL_NAMES *all = NULL;

    begin();
    for (int i = 0; i <= AW_CERTNAME_MANY; i++) {
        char name[24];

        add_name(&all, GEN_DNS, V_ASN1_IA5STRING, name,
                 (size_t)snprintf(name, sizeof(name), "%d.example", i));
    }
    put_names(all);
    CU_ASSERT_STRING_EQUAL(names_of(read_back(), AW_CERTNAME_SAN_DNS), "!more than 256 names");
    end();
}

static void a_certificate_is_good_between_its_dates(void)
{
    const apr_time_t from = apr_time_from_sec(START), to = from + apr_time_from_sec(HOUR);
    apr_time_t expires = 0;

    begin();
    const aw_cert_t *cert = read_back();

    CU_ASSERT_EQUAL(aw_cert_time(cert, from - 1), AW_CERT_NOT_YET);
    CU_ASSERT_EQUAL(aw_cert_time(cert, from), AW_CERT_IN_TIME);
    CU_ASSERT_EQUAL(aw_cert_time(cert, to + 999999), AW_CERT_IN_TIME);
    CU_ASSERT_EQUAL(aw_cert_time(cert, to + 1000000), AW_CERT_EXPIRED);
    CU_ASSERT_TRUE(aw_cert_expires(cert, &expires));
    CU_ASSERT_EQUAL(expires, to);
    end();
}

static void dates_that_are_none_are_never_in_time(void)
{
    begin();
    ASN1_STRING_set(X509_getm_notAfter(made), "991399999999Z", 13);
    const aw_cert_t *cert = read_back();
    apr_time_t expires = 7;

    CU_ASSERT_EQUAL(aw_cert_time(cert, apr_time_from_sec(START)), AW_CERT_NO_TIME);
    CU_ASSERT_FALSE(aw_cert_expires(cert, &expires));
    CU_ASSERT_EQUAL(expires, 7);
    end();
}

static void der_and_pem_are_the_same_certificate(void)
{
    aw_cert_t *from_der = NULL, *from_pem = NULL;
    char *text = NULL;
    BIO *bio = BIO_new(BIO_s_mem());

    begin();
    add_attribute("CN", MBSTRING_UTF8, "Jane", -1);
    const aw_span_t der = sign();

    BIO_puts(bio, "Certificate:\n  text before it\n");
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    PEM_write_bio_X509(bio, made);
    BIO_puts(bio, "behind it\n");
    const long len = BIO_get_mem_data(bio, &text);

    CU_ASSERT_EQUAL(aw_cert_read(&from_der, der, pool), APR_SUCCESS);
    CU_ASSERT_EQUAL(aw_cert_read(&from_pem, (aw_span_t){text, (size_t)len}, pool), APR_SUCCESS);
    CU_ASSERT_TRUE(aw_span_equal(aw_cert_der(from_der), der));
    CU_ASSERT_TRUE(aw_span_equal(aw_cert_der(from_pem), der));
    CU_ASSERT_EQUAL(memcmp(aw_cert_fingerprints(from_der), aw_cert_fingerprints(from_pem),
                           sizeof(aw_fingerprints_t)),
                    0);
    unsigned char print[AW_SHA256_SIZE];
    unsigned size = 0;

    CU_ASSERT_EQUAL(X509_digest(made, EVP_sha256(), print, &size), 1);
    CU_ASSERT_EQUAL(memcmp(print, aw_cert_fingerprints(from_der)->sha256, size), 0);
    CU_ASSERT_EQUAL(X509_digest(made, EVP_sha1(), print, &size), 1);
    CU_ASSERT_EQUAL(memcmp(print, aw_cert_fingerprints(from_der)->sha1, size), 0);
    CU_ASSERT_EQUAL(strlen(names_of(from_der, AW_CERTNAME_FINGERPRINT)), 64);
    BIO_free(bio);
    end();
}

static void what_is_no_certificate_is_refused(void)
{
    static const char *const texts[] = {
        "", "0", "x", "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"};
    aw_cert_t *cert = NULL;
    char *more;

    begin();
    const aw_span_t der = sign();

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CU_ASSERT_EQUAL(aw_cert_read(&cert, aw_span(texts[i]), pool), APR_EINVAL);
    }
    for (size_t n = 0; n < der.len; n++) {
        const aw_span_t guarded = unit_guard(der.ptr, n);

        CU_ASSERT_EQUAL(aw_cert_read(&cert, guarded, pool), APR_EINVAL);
        unit_guard_free(guarded);
    }
    more = apr_pcalloc(pool, AW_CERT_MAX + 1);
    memcpy(more, der.ptr, der.len);
    CU_ASSERT_EQUAL(aw_cert_read(&cert, (aw_span_t){more, der.len + 1}, pool), APR_EINVAL);
    CU_ASSERT_EQUAL(aw_cert_read(&cert, (aw_span_t){more, AW_CERT_MAX + 1}, pool), APR_EINVAL);
    CU_ASSERT_PTR_NULL(cert);
    CU_ASSERT_EQUAL(ERR_peek_error(), 0);
    end();
}

static void changed_certificates_are_read_safely(void)
{
    GENERAL_NAMES *all = NULL;
    uint64_t state = 13;
    size_t read = 0;

    begin();
    add_attribute("CN", MBSTRING_UTF8, "Jane", -1);
    add_name(&all, GEN_OTHERNAME, V_ASN1_UTF8STRING, "jane@example.com", 16);
    add_name(&all, GEN_EMAIL, V_ASN1_IA5STRING, "jane@example.com", 16);
    put_names(all);
    const aw_span_t der = sign();
    char *text = apr_palloc(pool, 2 * der.len);
    apr_pool_t *keep = pool;

    for (int i = 0; i < 5000; i++) {
        aw_cert_t *cert = NULL;

        apr_pool_create(&pool, keep);
        memcpy(text, der.ptr, der.len);
        text[unit_random_below(&state, der.len)] = (char)unit_random(&state);
        const aw_span_t guarded = unit_guard(text, der.len);

        if (aw_cert_read(&cert, guarded, pool) == APR_SUCCESS) {
            read++;
            for (unsigned k = 0; k < AW_CERTNAME_COUNT; k++) {
                (void)names_of(cert, (aw_certname_e)k);
            }
            (void)aw_cert_time(cert, apr_time_from_sec(START));
        }
        unit_guard_free(guarded);
        apr_pool_destroy(pool);
    }
    pool = keep;
    CU_ASSERT(read > 1000);
    end();
}

static void kinds_are_known_by_their_words(void)
{
    aw_certname_e kind = AW_CERTNAME_COUNT;

    for (unsigned k = 0; k < AW_CERTNAME_COUNT; k++) {
        CU_ASSERT_TRUE(aw_certname_parse(aw_span(aw_certname_word((aw_certname_e)k)), &kind));
        CU_ASSERT_EQUAL(kind, k);
    }
    CU_ASSERT_TRUE(aw_certname_parse(AW_SPAN_LIT("san-EMAIL"), &kind));
    CU_ASSERT_EQUAL(kind, AW_CERTNAME_SAN_EMAIL);
    CU_ASSERT_FALSE(aw_certname_parse(AW_SPAN_LIT("SAN"), &kind));
}

static const unit_test_t tests[] = {
    {"every common name is given in order and once", every_common_name_is_given_in_order_and_once},
    {"a distinguished name is written as RFC 2253 says",
     a_distinguished_name_is_written_as_rfc_2253_says},
    {"names that hide something are refused not cut",
     names_that_hide_something_are_refused_not_cut},
    {"a name that is too long is refused", a_name_that_is_too_long_is_refused},
    {"alternative names are told apart by their kind",
     alternative_names_are_told_apart_by_their_kind},
    {"alternative names that hide something are refused",
     alternative_names_that_hide_something_are_refused},
    {"an extension that is there twice gives no name",
     an_extension_that_is_there_twice_gives_no_name},
    {"a certificate with too many names is refused", a_certificate_with_too_many_names_is_refused},
    {"a certificate is good between its dates", a_certificate_is_good_between_its_dates},
    {"dates that are none are never in time", dates_that_are_none_are_never_in_time},
    {"DER and PEM are the same certificate", der_and_pem_are_the_same_certificate},
    {"what is no certificate is refused", what_is_no_certificate_is_refused},
    {"changed certificates are read safely", changed_certificates_are_read_safely},
    {"kinds are known by their words", kinds_are_known_by_their_words},
    {NULL, NULL}};

const unit_suite_t certname_suite = {"certname", tests};
