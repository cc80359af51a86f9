/*
 * The plugin transfer on a channel of the test's own: what it sends, whose turn it is, and what
 * becomes of transfers that end early.
 */
#include "rig.h"

#include <errno.h>
#include <ldns/ldns.h>

#include "core/transfer.h"
#include "core/zone_list.h"
#include "dns/wire.h"
#include "test.h"

extern const struct plugin transfer_plugin;

/* --- a plugin with a zone ----------------------------------------------------------------- */

static struct {
	unsigned records;
	uint32_t serial;
	bool is_ready, has_changes;
	unsigned images, images_freed; /* made, and gone */
} provider;

struct counted {
	struct zone_image image;
	unsigned records;
};

static bool walk(const struct zone_image *image, struct zone_cursor *c, struct buf *row)
{
	const struct counted *i = (const struct counted *)image;
	size_t before = row->len;

	for (; c->at < i->records && row->len - before < ZONE_WALK_STEP; c->at++) {
		uint8_t owner[] = "\4h000\7example", ip[4];
		struct record r = {.type = TYPE_A, .ttl = 5, .rdata = ip, .rdlength = 4};

		for (unsigned d = 0, n = (unsigned)c->at / 100; d < 3; d++, n /= 10)
			owner[4 - d] = (uint8_t)('0' + n % 10);
		put32(ip, 0x0a000000u + (uint32_t)c->at);
		records_add(row, owner, &r);
	}
	return row->len > before;
}

static void fini(struct zone_image *image)
{
	provider.images_freed++;
	free(image);
}

static struct rrset *make_soa(void)
{
	struct rrset_builder b = {.type = TYPE_SOA, .ttl = 5};
	struct soa soa = {(const uint8_t *)"\2ns\7example", (const uint8_t *)"\1h\7example",
		provider.serial, 7200, 1800, 86400, 5};
	uint8_t rdata[600];

	rrset_add(&b, rdata, rrset_soa_rdata(rdata, &soa));
	return rrset_build(&b);
}

static struct zone_image *make(unsigned n)
{
	static const struct zone_image_ops ops = {walk, fini};
	struct counted *i = mem_new(struct counted);
	struct rrset *soa = make_soa();

	zone_image_init(&i->image, &ops, soa);
	i->records = n;
	free(soa);
	provider.images++;
	return &i->image;
}

static void zones(const void *instance, struct zone_list *out)
{
	static const struct name name = {9, "\7example"};

	(void)instance;
	zone_list_add(out, &name);
}

static bool serial(void *instance, const struct name *zone, uint32_t *out)
{
	(void)instance;
	(void)zone;
	*out = provider.serial;
	return provider.is_ready;
}

static struct zone_image *image(void *instance, const struct name *zone)
{
	(void)instance;
	(void)zone;
	return make(provider.records);
}

static struct zone_image *changes(void *instance, const struct name *zone, uint32_t since)
{
	(void)instance;
	(void)zone;
	return provider.has_changes && since == provider.serial - 1 ? make(3) : NULL;
}

static const struct plugin_transfer hooks = {zones, serial, image, changes, NULL};
static const struct plugin provider_plugin = {.name = "provider", .transfer = &hooks};

/* --- clients ------------------------------------------------------------------------------ */

struct client {
	struct query *q;
	bool is_waiting, is_closed, was_aborted, is_done;
	struct buf messages; /* each with two octets of length */
	unsigned count;
};

static struct client *client_of(const struct query *q)
{
	return q->socket;
}

static void on_send(struct query *q, const uint8_t *message, size_t n)
{
	struct client *c = client_of(q);
	uint8_t prefix[2];

	put16(prefix, (uint16_t)n);
	buf_add(&c->messages, prefix, 2);
	buf_add(&c->messages, message, n);
	c->count++;
}

static bool on_is_closed(const struct query *q)
{
	return client_of(q)->is_closed;
}

static void on_wait_room(struct query *q)
{
	client_of(q)->is_waiting = true;
}

static void on_abort(struct query *q)
{
	client_of(q)->was_aborted = true;
}

static const struct query_channel channel = {on_send, on_is_closed, on_wait_room, on_abort};

static void on_done(struct query *q)
{
	client_of(q)->is_done = true;
	client_of(q)->is_waiting = false;
}

static struct rig rig;

static void open_with(const char *text)
{
	memset(&provider, 0, sizeof(provider));
	provider = (__typeof__(provider)){.records = 20, .serial = 100, .is_ready = true};
	assert_int_equal(rig_open(&rig, &transfer_plugin, text), 0);
	vec_push(&rig.chain.links, (struct link){.plugin = &provider_plugin});
	assert_int_equal(transfer_plugin.start(rig.setup.instance, &rig.err), 0);
}

static void open_rig(void)
{
	open_with(". {\ntransfer {\nto *\n}\n}");
}

static void close_rig(void)
{
	rig_close(&rig);
	assert_int_equal(provider.images, provider.images_freed);
}

static void begin_as(struct client *c, uint16_t type, uint32_t since, const char *address)
{
	struct rig_ask ask = {
		.name = "example.", .type = type, .transport = TRANSPORT_TCP, .client = address};
	struct query *q = rig_query(&rig, &ask);

	memset(c, 0, sizeof(*c));
	c->q = q;
	q->msg.has_serial = since != 0;
	q->msg.serial = since;
	q->socket = c;
	q->channel = &channel;
	q->on_done = on_done;
	if (query_run(q) == QUERY_ANSWERED)
		c->is_done = true;
}

static void begin(struct client *c, uint16_t type, uint32_t since)
{
	begin_as(c, type, since, NULL);
}

static void go_on(struct client *c)
{
	while (c->is_waiting) {
		c->is_waiting = false;
		c->q->on_room(c->q);
	}
}

static void end(struct client *c)
{
	assert_true(c->is_done);
	query_release(c->q);
	buf_free(&c->messages);
}

/* All records that were sent, decoded by ldns; checks what each message must be. */
static ldns_rr_list *records_of(const struct client *c)
{
	ldns_rr_list *all = ldns_rr_list_new();
	const uint8_t *p = (const uint8_t *)c->messages.at;

	for (unsigned i = 0; i < c->count; i++) {
		ldns_pkt *pkt;
		size_t n = get16(p);

		assert_true(n <= 32768);
		assert_int_equal(ldns_wire2pkt(&pkt, p + 2, n), LDNS_STATUS_OK);
		assert_int_equal(ldns_pkt_id(pkt), 29008);
		assert_true(ldns_pkt_qr(pkt) && ldns_pkt_aa(pkt) && !ldns_pkt_tc(pkt));
		assert_int_equal(ldns_pkt_qdcount(pkt), i == 0);
		assert_true(i + 1 == c->count || n > 32768 - 700); /* packed full */
		ldns_rr_list_cat(all, ldns_pkt_answer(pkt));
		ldns_rr_list_set_rr_count(ldns_pkt_answer(pkt), 0);
		ldns_pkt_free(pkt);
		p += 2 + n;
	}
	return all;
}

static uint32_t serial_at(const ldns_rr_list *list, size_t i)
{
	const ldns_rr *rr = ldns_rr_list_rr(list, i);

	return ldns_rr_get_type(rr) == LDNS_RR_TYPE_SOA
		? ldns_rdf2native_int32(ldns_rr_rdf(rr, 2)) : 0;
}

/* --- tests -------------------------------------------------------------------------------- */

static void configuration_errors_say_what_to_do(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{". {\ntransfer\n}", "'to' is required"},
		{". {\ntransfer {\nto\n}\n}", "wrong number of arguments for 'to'"},
		{". {\ntransfer {\nto example.org\n}\n}", "'example.org' is not an IP address"},
		{". {\ntransfer {\nto tls://10.0.0.1\n}\n}", "is not an IP address"},
		{". {\ntransfer {\nto *\nfrom *\n}\n}", "unknown property 'from'"},
		{". {\ntransfer {\nto *\nsource x\n}\n}", "source 'x' is not an IP address"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(rig_open(&rig, &transfer_plugin, rows[i].text), -EINVAL);
		assert_non_null(strstr(rig.err.text, rows[i].want));
		assert_non_null(strstr(rig.err.text, "Corefile:"));
		rig_close(&rig);
	}
}

static void who_may_transfer_is_told_by_address(void **state)
{
	static const struct {
		const char *to, *client;
		bool may;
	} rows[] = {
		{"*", "192.0.2.1:999", true},
		{"192.0.2.1", "192.0.2.1:999", true},
		{"192.0.2.1:5300", "192.0.2.1:999", true},
		{"192.0.2.1", "192.0.2.2:53", false},
		{"192.0.2.9 10.0.0.0/8", "10.7.8.9:1", true},
		{"192.0.2.9 10.0.0.0/8", "11.7.8.9:1", false},
		{"[2001:db8::1]:53", "[2001:db8::1]:9", true},
		{"2001:db8::/32", "[2001:db8:9::1]:9", true},
		{"2001:db8::/32", "32.1.13.184:9", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client c;
		char text[100];

		snprintf(text, sizeof(text), ". {\ntransfer {\nto %s\n}\n}", rows[i].to);
		open_with(text);
		begin_as(&c, TYPE_AXFR, 0, rows[i].client);
		go_on(&c);
		assert_int_equal(c.count, rows[i].may);
		assert_int_equal(c.q->answer.rcode, rows[i].may ? RCODE_NOERROR : RCODE_REFUSED);
		end(&c);
		close_rig();
	}
}

static void a_zone_is_sent_in_full_messages_one_a_turn(void **state)
{
	struct client c;
	ldns_rr_list *all;

	(void)state;
	open_rig();
	provider.records = 9000;
	begin(&c, TYPE_AXFR, 0);
	assert_int_equal(c.count, 1);
	assert_true(c.is_waiting);
	go_on(&c);
	assert_true(c.is_done && c.q->is_sent && c.count > 3);
	all = records_of(&c);
	assert_int_equal(ldns_rr_list_rr_count(all), 9002);
	assert_int_equal(serial_at(all, 0), 100);
	assert_int_equal(serial_at(all, 9001), 100);
	for (unsigned i = 0; i < 9000; i++) {
		ldns_rr *rr = ldns_rr_list_rr(all, i + 1);

		assert_int_equal(get32(ldns_rdf_data(ldns_rr_rdf(rr, 0))), 0x0a000000 + i);
	}
	ldns_rr_list_deep_free(all);
	end(&c);
	close_rig();
}

static void ixfr_gets_one_soa_changes_or_all(void **state)
{
	static const struct {
		uint32_t since;
		size_t want;
	} rows[] = {{100, 1}, {101, 1}, {99, 5}, {98, 22}, {0xfffffff0, 22}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client c;
		ldns_rr_list *all;

		open_rig();
		provider.has_changes = true;
		begin(&c, TYPE_IXFR, rows[i].since);
		go_on(&c);
		all = records_of(&c);
		assert_int_equal(ldns_rr_list_rr_count(all), rows[i].want);
		assert_int_equal(serial_at(all, 0), 100);
		assert_int_equal(serial_at(all, rows[i].want - 1), 100);
		ldns_rr_list_deep_free(all);
		end(&c);
		close_rig();
	}
}

static void transfers_of_one_serial_share_an_image(void **state)
{
	struct client a, b, c;

	(void)state;
	open_rig();
	provider.records = 9000;
	begin(&a, TYPE_AXFR, 0);
	begin(&b, TYPE_AXFR, 0);
	assert_int_equal(provider.images, 1);
	provider.serial++;
	begin(&c, TYPE_AXFR, 0);
	assert_int_equal(provider.images, 2);
	assert_int_equal(provider.images_freed, 0); /* a and b have it */
	go_on(&a);
	go_on(&b);
	assert_int_equal(provider.images_freed, 1);
	go_on(&c);
	end(&a);
	end(&b);
	end(&c);
	close_rig();
}

static void four_of_one_address_go_on_and_the_next_waits(void **state)
{
	struct client c[6], other;

	(void)state;
	open_rig();
	provider.records = 9000;
	for (unsigned i = 0; i < 6; i++) {
		begin(&c[i], TYPE_AXFR, 0);
		assert_int_equal(c[i].count, i < 4);
	}
	begin_as(&other, TYPE_AXFR, 0, "192.0.2.7:1");
	assert_int_equal(other.count, 1);
	go_on(&c[2]);
	assert_int_equal(c[4].count, 1);
	assert_int_equal(c[5].count, 0);
	go_on(&other);
	assert_int_equal(c[5].count, 0);
	for (unsigned i = 0; i < 6; i++)
		go_on(&c[i]);
	for (unsigned i = 0; i < 6; i++)
		end(&c[i]);
	end(&other);
	close_rig();
}

static void too_many_are_refused_and_others_take_their_turn(void **state)
{
	static struct client c[16 + 256 + 1];
	char address[32];

	(void)state;
	open_rig();
	provider.records = 9000;
	for (unsigned i = 0; i < 16 + 256 + 1; i++) {
		snprintf(address, sizeof(address), "10.0.%u.%u:7", i / 250, i % 250);
		begin_as(&c[i], TYPE_AXFR, 0, address);
		assert_int_equal(c[i].count, i < 16);
	}
	assert_true(c[272].is_done);
	assert_int_equal(c[272].q->answer.rcode, RCODE_SERVFAIL);
	for (unsigned i = 0; i < 272; i++) {
		assert_int_equal(c[i].count, 1); /* who came first is served first */
		go_on(&c[i]);
		assert_true(c[i].is_done);
	}
	for (unsigned i = 0; i < 273; i++)
		end(&c[i]);
	close_rig();
}

static void transfers_that_are_given_up_make_room(void **state)
{
	struct client c[6];

	(void)state;
	open_rig();
	provider.records = 9000;
	for (unsigned i = 0; i < 6; i++)
		begin(&c[i], TYPE_AXFR, 0);
	query_cancel(c[4].q); /* waits */
	query_cancel(c[0].q); /* goes on */
	assert_true(c[0].is_done && c[4].is_done);
	assert_int_equal(c[4].count, 0);
	assert_int_equal(c[5].count, 1);
	c[1].is_closed = true;
	go_on(&c[1]);
	assert_int_equal(c[1].q->answer.rcode, RCODE_SERVFAIL);
	rig.worker.now_ns += UINT64_C(601000000000);
	go_on(&c[2]); /* took too long */
	assert_true(c[2].was_aborted && c[2].q->is_sent);
	rig.worker.now_ns -= UINT64_C(601000000000);
	go_on(&c[3]);
	go_on(&c[5]);
	assert_false(c[3].was_aborted);
	for (unsigned i = 0; i < 6; i++)
		end(&c[i]);
	close_rig();
}

static void zones_that_are_not_known_are_servfail(void **state)
{
	struct client c;

	(void)state;
	open_rig();
	provider.is_ready = false;
	begin(&c, TYPE_AXFR, 0);
	assert_int_equal(c.count, 0);
	assert_int_equal(c.q->answer.rcode, RCODE_SERVFAIL);
	assert_false(c.q->is_sent);
	end(&c);
	close_rig();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configuration_errors_say_what_to_do),
		cmocka_unit_test(who_may_transfer_is_told_by_address),
		cmocka_unit_test(a_zone_is_sent_in_full_messages_one_a_turn),
		cmocka_unit_test(ixfr_gets_one_soa_changes_or_all),
		cmocka_unit_test(transfers_of_one_serial_share_an_image),
		cmocka_unit_test(four_of_one_address_go_on_and_the_next_waits),
		cmocka_unit_test(too_many_are_refused_and_others_take_their_turn),
		cmocka_unit_test(transfers_that_are_given_up_make_room),
		cmocka_unit_test(zones_that_are_not_known_are_servfail),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
