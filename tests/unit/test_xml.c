/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire/xml.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))
#define GONE	    "\xef\xbf\xbd"

struct xml_case {
	const char *text;
	size_t len;
	const char *escaped;
};

#define TEXT(literal) (literal), sizeof(literal) - 1

static const struct xml_case cases[] = {
	{ TEXT(""), "" },
	{ TEXT("Front door, web"), "Front door, web" },
	{ TEXT("<script>alert('1')</script>"), "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;" },
	{ TEXT("a & \"b\" ]]>"), "a &amp; &quot;b&quot; ]]&gt;" },
	{ TEXT("&amp;"), "&amp;amp;" },
	{ TEXT("a\tb\nc\r"), "a\tb\nc&#13;" },
	{ TEXT("T\xc3\xbcr \xe2\x98\x83 \xf0\x9f\x9a\xaa"),
	  "T\xc3\xbcr \xe2\x98\x83 \xf0\x9f\x9a\xaa" },
	/* not XML: NUL, ESC; not UTF-8: a lone byte, an overlong form, a surrogate, a cut one */
	{ TEXT("a\0b\x1b"), "a" GONE "b" GONE },
	{ TEXT("\xff"), GONE },
	{ TEXT("\xc0\xaf"), GONE GONE },
	{ TEXT("\xed\xa0\x80"), GONE GONE GONE },
	{ TEXT("\xe2\x98"), GONE GONE },
	{ TEXT("\xef\xbf\xbe\xef\xbf\xbf"), GONE GONE },
	{ TEXT("\xef\xbf\xbd"), GONE },
};

static void test_escape(void **state)
{
	for (size_t i = 0; i < N_OF(cases); i++) {
		size_t len = strlen(cases[i].escaped);
		struct slice text = { cases[i].text, cases[i].len };
		char buf[128];

		for (size_t cap = 0; cap <= len + 1; cap++) {
			struct writer w = writer_of(buf, cap);

			writer_xml(&w, text);
			if (cap < len) {
				assert_int_equal(writer_finish(&w), -EMSGSIZE);
				continue;
			}
			assert_int_equal(writer_finish(&w), len);
			assert_memory_equal(buf, cases[i].escaped, len);
		}
	}
}

/* No byte, and no pair of bytes, leaves anything that could end a text or start a tag. */
static void test_harmless(void **state)
{
	for (unsigned pair = 0; pair < 65536; pair++) {
		char text[] = { (char)(pair >> 8), (char)pair }, buf[16];
		struct writer w = writer_of(buf, sizeof(buf));

		writer_xml(&w, (struct slice){ text, 2 });
		assert_true(writer_finish(&w) >= 2);
		assert_null(memchr(buf, '<', w.len));
		assert_null(memchr(buf, '>', w.len));
		assert_null(memchr(buf, '"', w.len));
		assert_null(memchr(buf, '\'', w.len));
		assert_null(memchr(buf, '\0', w.len));
		assert_null(memchr(buf, '\r', w.len));
		assert_true(slice_is_utf8((struct slice){ buf, w.len }));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
