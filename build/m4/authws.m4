# How configure finds APR, OpenSSL's libcrypto and libssl, utf8proc, zlib, CUnit and httpd.
# SPDX-License-Identifier: Apache-2.0

# Headers that are not ours come by -isystem: our warnings are not meant for them.
AC_DEFUN([AUTHWS_FIND_APR], [
    AC_ARG_WITH([apr],
        [AS_HELP_STRING([--with-apr=PATH], [apr-1-config to use])],
        [APR_CONFIG=$withval], [AC_PATH_PROGS([APR_CONFIG], [apr-1-config apr-config])])
    AS_IF([test -z "$APR_CONFIG" || test "x$APR_CONFIG" = xno],
        [AC_MSG_ERROR([apr-1-config not found: install APR's development files (libapr1-dev)])])
    APR_CPPFLAGS="`$APR_CONFIG --cppflags` `$APR_CONFIG --includes | sed 's/-I */-isystem /g'`"
    APR_LIBS="`$APR_CONFIG --link-ld`"
    APR_VERSION="`$APR_CONFIG --version`"
    AC_SUBST([APR_CPPFLAGS])
    AC_SUBST([APR_LIBS])])

AC_DEFUN([AUTHWS_FIND_CRYPTO], [
    CRYPTO_LIBS=
    AC_CHECK_HEADER([openssl/evp.h], [],
        [AC_MSG_ERROR([openssl/evp.h not found: install OpenSSL's development files (libssl-dev)])])
    AC_CHECK_LIB([crypto], [EVP_MD_fetch], [CRYPTO_LIBS=-lcrypto],
        [AC_MSG_ERROR([libcrypto of OpenSSL 3.0 or newer not found])])
    SSL_LIBS=
    AC_CHECK_LIB([ssl], [SSL_CTX_load_verify_file], [SSL_LIBS=-lssl],
        [AC_MSG_ERROR([libssl of OpenSSL 3.0 or newer not found])], [-lcrypto])
    AC_SUBST([SSL_LIBS])
    AC_SUBST([CRYPTO_LIBS])])

AC_DEFUN([AUTHWS_FIND_UTF8PROC], [
    UTF8PROC_LIBS=
    AC_CHECK_HEADER([utf8proc.h], [],
        [AC_MSG_ERROR([utf8proc.h not found: install utf8proc's development files (libutf8proc-dev)])])
    AC_CHECK_LIB([utf8proc], [utf8proc_reencode], [UTF8PROC_LIBS=-lutf8proc],
        [AC_MSG_ERROR([libutf8proc not found])])
    AC_SUBST([UTF8PROC_LIBS])])

AC_DEFUN([AUTHWS_FIND_ZLIB], [
    ZLIB_LIBS=
    AC_CHECK_HEADER([zlib.h], [],
        [AC_MSG_ERROR([zlib.h not found: install zlib's development files (zlib1g-dev)])])
    AC_CHECK_LIB([z], [inflateResetKeep], [ZLIB_LIBS=-lz],
        [AC_MSG_ERROR([libz 1.2.8 or newer not found])])
    AC_SUBST([ZLIB_LIBS])])

AC_DEFUN([AUTHWS_FIND_CUNIT], [
    CUNIT_LIBS=
    have_cunit=no
    AC_CHECK_HEADER([CUnit/CUnit.h],
        [AC_CHECK_LIB([cunit], [CU_initialize_registry], [have_cunit=yes; CUNIT_LIBS=-lcunit])])
    AC_SUBST([CUNIT_LIBS])
    AM_CONDITIONAL([HAVE_CUNIT], [test "x$have_cunit" = xyes])])

# The module goes where this httpd looks for modules, unless --with-moduledir says otherwise.
AC_DEFUN([AUTHWS_FIND_HTTPD], [
    AC_ARG_ENABLE([module],
        [AS_HELP_STRING([--disable-module], [build the library and the tools only, without httpd])],
        [], [enable_module=yes])
    AC_ARG_WITH([apxs],
        [AS_HELP_STRING([--with-apxs=PATH], [apxs of the httpd to build for])],
        [], [with_apxs=yes])
    AC_ARG_WITH([moduledir],
        [AS_HELP_STRING([--with-moduledir=DIR],
            [where mod_authws.so is installed (apxs -q LIBEXECDIR)])],
        [], [with_moduledir=])
    moduledir=
    module_summary="not built"
    AS_IF([test "x$with_apxs" = xno], [enable_module=no])
    AS_IF([test "x$enable_module" != xno], [
        AS_IF([test "x$with_apxs" = xyes],
            [AC_PATH_PROGS([APXS], [apxs apxs2], [], [$PATH:/usr/sbin:/usr/local/apache2/bin])],
            [APXS=$with_apxs])
        AS_IF([test -z "$APXS" || ! "$APXS" -q INCLUDEDIR >/dev/null 2>&1],
            [AC_MSG_ERROR([no working apxs: install httpd's development files (apache2-dev), name one with --with-apxs, or --disable-module])])
        HTTPD_CPPFLAGS="`$APXS -q EXTRA_CPPFLAGS` -isystem `$APXS -q INCLUDEDIR`"
        apu_config=`$APXS -q APU_CONFIG 2>/dev/null`
        AS_IF([test -z "$apu_config" || ! test -x "$apu_config"], [apu_config=apu-1-config])
        HTTPD_CPPFLAGS="$HTTPD_CPPFLAGS `$apu_config --includes | sed 's/-I */-isystem /g'`"
        moduledir=`$APXS -q LIBEXECDIR`
        AS_IF([test -n "$with_moduledir"], [moduledir=$with_moduledir])
        module_summary="for $APXS, installed in $moduledir"])
    AC_SUBST([APXS])
    AC_SUBST([HTTPD_CPPFLAGS])
    AC_SUBST([moduledir])
    AM_CONDITIONAL([MODULE], [test "x$enable_module" != xno])])
