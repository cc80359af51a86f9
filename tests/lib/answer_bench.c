#include "answer_bench.h"

#include <ldns/ldns.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"

void bench_open(struct answer_bench *b, const char *name, const struct edns *edns)
{
	struct name n;

	memset(b, 0, sizeof(*b));
	must(name_from_text(&n, str_from(name), NULL) == 0);
	arena_init(&b->arena);
	answer_init(&b->answer, &b->arena);
	b->env.is_stream = true;
	b->env.udp_size = 1232;
	b->env.limit = 65535;
	b->msg.id = 0x1234;
	b->msg.qtype = TYPE_A;
	b->msg.qclass = CLASS_IN;
	b->msg.qname_len = n.len;
	b->msg.qname_labels = (uint8_t)name_labels(n.wire);
	b->msg.question_end = (uint16_t)(MSG_HEADER + n.len + 4);
	if (edns != NULL)
		b->msg.edns = *edns;
	b->out = mem_alloc(65535);
	b->out_size = 65535;
	memcpy(b->out + MSG_HEADER, n.wire, n.len);
	put16(b->out + MSG_HEADER + n.len, TYPE_A);
	put16(b->out + MSG_HEADER + n.len + 2, CLASS_IN);
}

void bench_close(struct answer_bench *b)
{
	arena_reset(&b->arena);
	buf_free(&b->text);
	free(b->out);
}

struct rrset *bench_set(struct answer_bench *b, uint16_t type, unsigned n)
{
	struct rrset_builder set = {.type = type, .ttl = 5};
	uint8_t rdata[16] = {0};
	size_t len = type == TYPE_AAAA ? 16 : 4;

	for (unsigned i = 0; i < n; i++) {
		put32(rdata + len - 4, i);
		if (type == TYPE_SRV) {
			memcpy(rdata + 6, "\2ep\3svc", 8);
			put16(rdata + 4, (uint16_t)i);
			len = 14;
		}
		must(rrset_add(&set, rdata, len) == 0);
	}
	return rrset_build_in(&set, &b->arena);
}

struct rrset *bench_single(struct answer_bench *b, uint16_t type, const void *rdata, size_t n)
{
	return rrset_single(&b->arena, type, 5, (struct str){rdata, n});
}

void bench_encode(struct answer_bench *b)
{
	ldns_pkt *pkt = NULL;

	/* no octet more than the limit, so that a sanitizer sees one too many */
	if (b->out_size != b->env.limit)
		b->out = mem_resize(b->out, b->env.limit);
	b->out_size = b->env.limit;
	b->len = answer_encode(&b->answer, &b->msg, &b->env, b->out);
	must(b->len <= b->env.limit);
	must(ldns_wire2pkt(&pkt, b->out, b->len) == LDNS_STATUS_OK);
	must(ldns_pkt_size(pkt) == b->len);
	ldns_pkt_free(pkt);
}

static void add_section(struct buf *out, const char *section, const ldns_rr_list *list)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		char *text = ldns_rr2str(ldns_rr_list_rr(list, i));

		for (char *p = text; *p != '\0'; p++)
			*p = *p == '\t' ? ' ' : *p;
		buf_printf(out, "%s %s", section, text);
		free(text);
	}
}

static void add_opt(struct buf *out, const ldns_pkt *pkt)
{
	const ldns_rdf *data = ldns_pkt_edns_data(pkt);

	buf_printf(out, "opt %u %u%s", ldns_pkt_edns_udp_size(pkt),
	        ldns_pkt_edns_extended_rcode(pkt), ldns_pkt_edns_do(pkt) ? " do" : "");
	for (size_t i = 0; data != NULL && i < ldns_rdf_size(data); i++)
		buf_printf(out, "%s%02x", i == 0 ? " " : "", ldns_rdf_data(data)[i]);
	buf_str(out, "\n");
}

const char *bench_text(struct answer_bench *b)
{
	ldns_pkt *pkt = NULL;
	char *rcode;

	must(ldns_wire2pkt(&pkt, b->out, b->len) == LDNS_STATUS_OK);
	rcode = ldns_pkt_rcode2str(ldns_pkt_get_rcode(pkt));
	buf_clear(&b->text);
	buf_printf(&b->text, "%s%s%s%s%s%s%s\n", rcode, ldns_pkt_aa(pkt) ? " aa" : "",
	        ldns_pkt_tc(pkt) ? " tc" : "", ldns_pkt_rd(pkt) ? " rd" : "",
	        ldns_pkt_ra(pkt) ? " ra" : "", ldns_pkt_ad(pkt) ? " ad" : "",
	        ldns_pkt_cd(pkt) ? " cd" : "");
	free(rcode);
	add_section(&b->text, "answer", ldns_pkt_answer(pkt));
	add_section(&b->text, "authority", ldns_pkt_authority(pkt));
	add_section(&b->text, "additional", ldns_pkt_additional(pkt));
	if (ldns_pkt_edns(pkt))
		add_opt(&b->text, pkt);
	ldns_pkt_free(pkt);
	return buf_text(&b->text);
}

unsigned bench_count(const struct answer_bench *b, unsigned section)
{
	return get16(b->out + 6 + 2 * section);
}
