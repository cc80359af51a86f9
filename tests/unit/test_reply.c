/* What of an upstream's reply becomes the client's answer. Messages are written as small texts. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/num.h"
#include "base/rand.h"
#include "dns/msg.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "dns/wire.h"
#include "net/reply.h"

static struct reply out;

struct message {
	size_t len;
	uint16_t end; /* of the question */
	uint8_t wire[65535];
};

static void put_name(struct message *m, struct str text)
{
	struct name n;

	must(name_from_text(&n, text, NULL) == 0);
	memcpy(m->wire + m->len, n.wire, n.len);
	m->len += n.len;
}

static void put_u16(struct message *m, unsigned v)
{
	put16(m->wire + m->len, (uint16_t)v);
	m->len += 2;
}

static void put_rdata(struct message *m, uint16_t type, struct str rest)
{
	union {
		uint8_t b[4];
		unsigned n[4];
	} ip;
	struct str word = str_word(&rest);

	switch (type) {
	case TYPE_A:
		must(sscanf(word.at, "%u.%u.%u.%u", &ip.n[0], &ip.n[1], &ip.n[2], &ip.n[3]) == 4);
		for (int i = 0; i < 4; i++)
			m->wire[m->len++] = (uint8_t)ip.n[i];
		break;
	case TYPE_AAAA:
		memset(m->wire + m->len, 9, 16);
		m->len += 16;
		break;
	case TYPE_SOA:
		put_name(m, word);
		put_name(m, STR("h."));
		memset(m->wire + m->len, 1, 20);
		m->len += 20;
		break;
	case TYPE_RRSIG:
		put_u16(m, rr_type_from_text(word));
		memset(m->wire + m->len, 7, 30);
		m->len += 30;
		break;
	case TYPE_MX: put_u16(m, 10); /* fall through */
	default: put_name(m, word); break;
	}
}

/* "name ttl TYPE rdata" */
static void put_record(struct message *m, struct str line)
{
	struct str owner = str_word(&line), ttl = str_word(&line), type_text = str_word(&line);
	uint16_t type = rr_type_from_text(type_text);
	uint64_t ttl_s;
	size_t at;

	must(num_u64(ttl, UINT32_MAX, &ttl_s) == 0 && type != 0);
	if (str_is(owner, "@"))
		put_u16(m, 0xc00c);
	else
		put_name(m, owner);
	put_u16(m, type);
	put_u16(m, CLASS_IN);
	put_u16(m, (unsigned)(ttl_s >> 16));
	put_u16(m, (unsigned)(ttl_s & 0xffff));
	at = m->len;
	put_u16(m, 0);
	put_rdata(m, type, line);
	put16(m->wire + at, (uint16_t)(m->len - at - 2));
}

/* "name TYPE | answers | authority | additional", records separated by ; */
static void make(struct message *m, const char *text, uint16_t flags)
{
	struct str rest = str_from(text), part = str_cut(&rest, '|'), name = str_word(&part);

	memset(m->wire, 0, MSG_HEADER);
	m->len = MSG_HEADER;
	put16(m->wire + 2, (uint16_t)(FLAG_QR | flags));
	put16(m->wire + 4, 1);
	put_name(m, name);
	put_u16(m, rr_type_from_text(str_word(&part)));
	put_u16(m, CLASS_IN);
	m->end = (uint16_t)m->len;
	for (int section = 0; section < 3 && rest.len > 0; section++) {
		struct str records = str_cut(&rest, '|');

		while (records.len > 0) {
			struct str line = str_trim(str_cut(&records, ';'));

			if (line.len == 0)
				continue;
			put_record(m, line);
			put16(m->wire + 6 + 2 * section,
			        (uint16_t)(get16(m->wire + 6 + 2 * section) + 1));
		}
	}
}

/* The kept records as "owner ttl TYPE; ... | ..." */
static void describe(struct buf *b)
{
	struct reader r = reader_on(out.wire, out.len);
	char text[NAME_TEXT_MAX], type[16];
	struct rr_view rr;

	r.at = MSG_HEADER;
	assert_true(read_name(&r, NULL) > 0);
	r.at += 4;
	assert_int_equal(get16(out.wire + 10), 0);
	for (int section = 0; section < 2; section++) {
		if (section == 1)
			buf_str(b, "| ");
		for (unsigned i = 0; i < get16(out.wire + 6 + 2 * section); i++) {
			assert_true(read_rr(&r, &rr));
			name_to_text(text, rr.owner);
			buf_printf(b, "%s %u %s; ", text, rr.ttl, rr_type_text(rr.type, type));
		}
	}
	assert_int_equal(r.at, out.len);
}

struct row {
	const char *name, *in, *out;
	uint16_t flags;
	bool wants_dnssec;
};

static const struct row rows[] = {
        {"plain", "a.x A | @ 60 A 1.2.3.4; @ 60 A 1.2.3.5", "a.x. 60 A; a.x. 60 A; | ", 0, false},
        {"chain", "a.x A | @ 60 CNAME b.x; b.x 30 CNAME c.y; c.y 20 A 1.2.3.4",
                "a.x. 60 CNAME; b.x. 30 CNAME; c.y. 20 A; | ", 0, false},
        {"chain out of order", "a.x A | c.y 20 A 1.2.3.4; b.x 30 CNAME c.y; @ 60 CNAME b.x",
                "c.y. 20 A; b.x. 30 CNAME; a.x. 60 CNAME; | ", 0, false},
        {"a stranger in the answer", "a.x A | evil.y 60 A 6.6.6.6; @ 60 A 1.2.3.4", "a.x. 60 A; | ",
                0, false},
        {"a stranger inside a chain",
                "a.x A | @ 60 CNAME b.x; evil.y 60 A 6.6.6.6; b.x 60 A 1.2.3.4; evil.z 9 NS e.z",
                "a.x. 60 CNAME; b.x. 60 A; | ", 0, false},
        {"another type", "a.x A | @ 60 MX m.x; @ 60 A 1.2.3.4", "a.x. 60 A; | ", 0, false},
        {"two aliases of one name", "a.x A | @ 60 CNAME b.x; @ 60 CNAME c.x; b.x 60 A 1.2.3.4",
                "a.x. 60 CNAME; b.x. 60 A; | ", 0, false},
        {"an alias loop", "a.x A | @ 60 CNAME b.x; b.x 60 CNAME a.x", "a.x. 60 CNAME; | ", 0,
                false},
        {"the alias itself is asked", "a.x CNAME | @ 60 CNAME b.x; b.x 60 A 1.2.3.4",
                "a.x. 60 CNAME; | ", 0, false},
        {"authority and additional of a positive answer",
                "a.x A | @ 60 A 1.2.3.4 | x 60 NS ns.x | ns.x 60 A 1.1.1.1", "a.x. 60 A; | ", 0,
                false},
        {"NXDOMAIN keeps its SOA", "a.x A | | x 60 SOA ns.x; x 60 NS ns.x | ns.x 60 A 1.1.1.1",
                "| x. 60 SOA; ", RCODE_NXDOMAIN, false},
        {"NODATA behind an alias", "a.x A | @ 60 CNAME b.y | y 60 SOA ns.y",
                "a.x. 60 CNAME; | y. 60 SOA; ", 0, false},
        {"SOA behind NS records", "a.x A | | x 60 NS ns.x; x 60 SOA ns.x", "| x. 60 SOA; ", 0,
                false},
        {"SOA of another zone", "a.x A | | evil.y 60 SOA ns.y", "| ", RCODE_NXDOMAIN, false},
        {"two SOA records", "a.x A | | x 60 SOA ns.x; x 61 SOA ns.x", "| x. 60 SOA; ", 0, false},
        {"TTL with the high bit", "a.x A | @ 2147483648 A 1.2.3.4; @ 2147483647 A 1.2.3.4",
                "a.x. 0 A; a.x. 2147483647 A; | ", 0, false},
        {"TTL with the high bit, rewritten", "a.x A | e.y 1 A 6.6.6.6; @ 4294967295 A 1.2.3.4",
                "a.x. 0 A; | ", 0, false},
        {"signatures without DO", "a.x A | @ 60 A 1.2.3.4; @ 60 RRSIG A", "a.x. 60 A; | ", 0,
                false},
        {"signatures with DO", "a.x A | @ 60 A 1.2.3.4; @ 60 RRSIG A; e.y 60 RRSIG A",
                "a.x. 60 A; a.x. 60 RRSIG; | ", 0, true},
        {"proofs with DO",
                "a.x A | | x 60 SOA n.x; x 60 RRSIG SOA; b.x 60 NSEC c.x; b.x 60 RRSIG NSEC; x 60 "
                "NS n.x",
                "| x. 60 SOA; x. 60 RRSIG; b.x. 60 NSEC; b.x. 60 RRSIG; ", RCODE_NXDOMAIN, true},
        {"DNAME", "a.b.x A | b.x 60 DNAME y; a.b.x 60 CNAME a.y; a.y 60 A 1.2.3.4; q.x 60 DNAME z",
                "b.x. 60 DNAME; a.b.x. 60 CNAME; a.y. 60 A; | ", 0, false},
        {"ANY", "a.x ANY | @ 60 A 1.2.3.4; @ 60 MX m.x; e.y 60 A 6.6.6.6",
                "a.x. 60 A; a.x. 60 MX; | ", 0, false},
        {"ANY is not for what belongs to the message",
                "a.x ANY | @ 60 A 1.2.3.4; @ 0 OPT .; @ 0 TSIG .", "a.x. 60 A; | ", 0, false},
        {"letters in another case", "A.x A | a.X 60 CNAME B.x; b.X 60 A 1.2.3.4",
                "a.X. 60 CNAME; b.X. 60 A; | ", 0, false},
        {"TC keeps nothing", "a.x A | @ 60 A 1.2.3.4", "| ", FLAG_TC, false},
};

static void only_the_answer_chain_is_kept(void **state)
{
	static struct message m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reply_question q = {.query = m.wire, .wants_dnssec = rows[i].wants_dnssec};
		struct buf got = {0}, want = {0};

		make(&m, rows[i].in, rows[i].flags);
		q.end = m.end;
		assert_true(reply_is_for(&q, m.wire, m.len));
		assert_true(reply_clean(&out, &q, m.wire, m.len));
		buf_printf(&got, "%s: ", rows[i].name);
		describe(&got);
		buf_printf(&want, "%s: %s", rows[i].name, rows[i].out);
		assert_string_equal(buf_text(&got), buf_text(&want));
		assert_int_equal(out.rcode, rows[i].flags & FLAG_RCODE);
		buf_free(&got);
		buf_free(&want);
	}
}

static void a_referral_is_not_taken_for_no_data(void **state)
{
	static struct message m;
	struct reply_question q = {.query = m.wire};

	(void)state;
	make(&m, "a.x A | | x 60 NS ns.x | ns.x 60 A 1.1.1.1", 0);
	q.end = m.end;
	assert_true(reply_clean(&out, &q, m.wire, m.len));
	assert_true(out.is_referral);
	make(&m, "a.x A | | x 60 NS ns.x", FLAG_AA);
	assert_true(reply_clean(&out, &q, m.wire, m.len));
	assert_false(out.is_referral);
}

static void another_question_is_not_ours(void **state)
{
	static struct message ours, theirs;
	static const char *const others[] = {"b.x A", "a.x AAAA", "a.y A", "aa.x A", ". A"};
	struct reply_question q = {.query = ours.wire};

	(void)state;
	make(&ours, "a.x A", 0);
	q.end = ours.end;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		make(&theirs, others[i], 0);
		assert_false(reply_is_for(&q, theirs.wire, theirs.len));
	}
	make(&theirs, "A.X A", 0);
	assert_true(reply_is_for(&q, theirs.wire, theirs.len));
	q.is_exact = true;
	assert_false(reply_is_for(&q, theirs.wire, theirs.len));
	make(&theirs, "a.x A", 0);
	put16(theirs.wire + 4, 2);
	assert_false(reply_is_for(&q, theirs.wire, theirs.len));
}

static void every_truncation_of_a_message_is_malformed(void **state)
{
	static struct message m;
	struct reply_question q = {.query = m.wire};

	(void)state;
	make(&m, "a.x A | @ 60 CNAME b.x; e.y 1 A 6.6.6.6; b.x 60 A 1.2.3.4 | x 60 SOA ns.x", 0);
	q.end = m.end;
	for (size_t n = m.end; n < m.len; n++)
		assert_false(reply_clean(&out, &q, m.wire, n));
	assert_true(reply_clean(&out, &q, m.wire, m.len));
}

static void the_extended_rcode_is_read_and_opt_is_dropped(void **state)
{
	static struct message m;
	struct reply_question q = {.query = m.wire};

	(void)state;
	make(&m, "a.x A", 0);
	q.end = m.end;
	memcpy(m.wire + m.len, "\0\0\x29\x10\0\x01\0\0\0\0\0", 11);
	m.len += 11;
	put16(m.wire + 10, 1);
	assert_true(reply_clean(&out, &q, m.wire, m.len));
	assert_int_equal(out.rcode, RCODE_BADVERS);
	assert_true(out.has_edns);
	assert_int_equal(out.len, m.end);
}

/* Only addresses of the question's name, and OPT, but for `first`. */
static void make_plain(struct message *m, const char *type, const char *first)
{
	char text[200];

	snprintf(text, sizeof(text), "a.x %s | %s @ 60 %s 10.0.0.1; @ 61 %s 10.0.0.2", type, first,
	        type, type);
	make(m, text, 0);
	memcpy(m->wire + m->len, "\0\0\x29\x10\0\x01\0\0\0\0\0", 11);
	m->len += 11;
	put16(m->wire + 10, 1);
}

static void expect_same(const struct message *plain, const struct message *other)
{
	static struct reply first;
	struct reply_question q = {.query = plain->wire, .end = plain->end};
	bool is_good = reply_clean(&first, &q, plain->wire, plain->len);

	assert_int_equal(reply_clean(&out, &q, other->wire, other->len), is_good);
	if (!is_good)
		return;
	assert_int_equal(out.rcode, first.rcode);
	assert_int_equal(out.has_edns, first.has_edns);
	assert_int_equal(out.len, first.len);
	assert_memory_equal(out.wire, first.wire, out.len);
}

/* The same records behind one that does not belong there, so that all are looked at in turn. */
static void replies_without_surprises_are_judged_like_others(void **state)
{
	static const char *const types[] = {"A", "AAAA"};
	static const uint8_t octets[] = {0, 1, 2, 4, 5, 16, 28, 0x29, 0x80, 0xc0, 0xff};
	static struct message plain, other;

	(void)state;
	for (size_t t = 0; t < ARRAY_LEN(types); t++) {
		make_plain(&plain, types[t], "");
		make_plain(&other, types[t], "e.y 1 A 6.6.6.6;");
		expect_same(&plain, &other);
		/* octets of an owner could point to what stands elsewhere in the other one */
		for (size_t at = plain.end + 2u; at < plain.len; at++) {
			uint8_t *p = plain.wire + at, good = *p;
			uint8_t *o = other.wire + at + (other.len - plain.len);

			for (size_t i = 0; i < ARRAY_LEN(octets); i++) {
				if (good == 0xc0 || p[-1] == 0xc0)
					continue;
				*p = *o = octets[i];
				expect_same(&plain, &other);
			}
			*p = *o = good;
		}
	}
}

static void large_answers_of_a_stream_stay_whole(void **state)
{
	static struct message m;
	struct reply_question q = {.query = m.wire};

	(void)state;
	make(&m, "a.x A", 0);
	q.end = m.end;
	for (int i = 0; i < 4000; i++)
		put_record(&m, STR("@ 60 A 1.2.3.4"));
	put16(m.wire + 6, 4000);
	assert_true(reply_clean(&out, &q, m.wire, m.len));
	assert_int_equal(get16(out.wire + 6), 4000);
	assert_int_equal(out.len, m.len);
	put_record(&m, STR("e.y 60 A 6.6.6.6"));
	put_record(&m, STR("@ 60 A 1.2.3.4"));
	put16(m.wire + 6, 4002);
	assert_true(reply_clean(&out, &q, m.wire, m.len));
	assert_int_equal(get16(out.wire + 6), 4001);
}

static void random_damage_never_makes_a_bad_message(void **state)
{
	static struct message m, copy;
	struct reply_question q = {.query = m.wire};

	(void)state;
	rand_seed(3);
	make(&m, rows[4].in, 0);
	q.end = m.end;
	for (int i = 0; i < 20000; i++) {
		struct buf b = {0};

		memcpy(&copy, &m, sizeof(size_t) + sizeof(uint16_t) + m.len + 8);
		for (int k = 0; k < 3; k++)
			copy.wire[m.end + rand_below((uint32_t)(m.len - m.end))] =
			        (uint8_t)rand_u64();
		if (reply_clean(&out, &q, copy.wire, m.len))
			describe(&b);
		buf_free(&b);
	}
}

/* All names of the kept records, and those in their RDATA, one behind the other. */
static size_t read_names(uint8_t *to)
{
	struct reader r = reader_on(out.wire, out.len);
	struct rr_view rr;
	size_t n = 0;
	int len;

	r.at = MSG_HEADER;
	read_name(&r, NULL);
	r.at += 4;
	while (r.at < out.len) {
		assert_true(read_rr(&r, &rr));
		memcpy(to + n, rr.owner, rr.owner_len);
		n += rr.owner_len;
		len = rr_rdata(&r, &rr, to + n, 600);
		assert_true(len >= 0);
		n += (size_t)len;
	}
	return n;
}

/* What changes in a message that is kept and given out again. */
static void grow_older(void)
{
	struct reader r = reader_on(out.wire, out.len);
	struct rr_view rr;

	r.at = MSG_HEADER;
	read_name(&r, NULL);
	r.at += 4;
	while (r.at < out.len && read_rr(&r, &rr))
		put32(out.wire + rr.ttl_at, 0x02616200);
	put16(out.wire, 0x0161);
}

static bool is_same_when_older(const struct message *m)
{
	static uint8_t before[65536], after[65536];
	struct reply_question q = {.query = m->wire, .end = m->end};
	size_t n;

	if (!reply_clean(&out, &q, m->wire, m->len))
		return false;
	n = read_names(before);
	grow_older();
	assert_int_equal(read_names(after), n);
	assert_memory_equal(before, after, n);
	return true;
}

/* A TTL, and other fixed octets, can look like a name, or like the middle of one. */
static void no_name_changes_when_ttls_count_down(void **state)
{
	static const char *const starts[] = {
	        "a\\003b\\012.x ANY | @ 23134208 A 1.2.3.4; @ 23134208 MX c.x; @ 60 ",
	        "a\\003b\\020.x ANY | @ 23134208 MX m.x; @ 33554432 MX \\014\\006c\\023.x; @ 60 ",
	        "a.x A | @ 23134208 CNAME b.x | x 60 "};
	static const struct {
		const char *text;
		unsigned name_at, behind; /* octets of RDATA before the name and behind it */
	} types[] = {{"CNAME y.", 0, 0}, {"MX y.", 2, 0}, {"NS y.", 0, 0}, {"SOA y.", 0, 23},
	        {"TYPE8 y.", 0, 0}};
	static struct message m;
	char text[200];
	unsigned good = 0, bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(starts) * ARRAY_LEN(types); i++) {
		unsigned name_at = types[i % ARRAY_LEN(types)].name_at;
		unsigned behind = types[i % ARRAY_LEN(types)].behind;
		uint8_t *name, *length;

		snprintf(text, sizeof(text), "%s%s", starts[i / ARRAY_LEN(types)],
		        types[i % ARRAY_LEN(types)].text);
		make(&m, text, 0);
		name = m.wire + m.len - behind - 3;
		length = name - name_at - 2;
		put16(length, (uint16_t)(get16(length) - 1)); /* a pointer in place of the name */
		memmove(name + 2, name + 3, behind);
		m.len--;
		for (unsigned to = 0; m.wire + to < name; to++) {
			bool is_good;

			put16(name, (uint16_t)(0xc000 | to));
			is_good = is_same_when_older(&m);
			good += is_good;
			bad += !is_good;
		}
	}
	assert_true(good > 100 && bad > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(only_the_answer_chain_is_kept),
	        cmocka_unit_test(a_referral_is_not_taken_for_no_data),
	        cmocka_unit_test(another_question_is_not_ours),
	        cmocka_unit_test(every_truncation_of_a_message_is_malformed),
	        cmocka_unit_test(the_extended_rcode_is_read_and_opt_is_dropped),
	        cmocka_unit_test(replies_without_surprises_are_judged_like_others),
	        cmocka_unit_test(large_answers_of_a_stream_stay_whole),
	        cmocka_unit_test(random_damage_never_makes_a_bad_message),
	        cmocka_unit_test(no_name_changes_when_ttls_count_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
