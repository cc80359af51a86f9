/*
 * Why a name of the cluster is answered as it is: what `seamark explain` and `seamark names` get
 * from a kubernetes block. It looks into the same tables as the query hook and makes the same
 * decisions; the reasons come from the store's objects. Control thread.
 */
#pragma once

#include "core/explain.h"
#include "kubernetes/kube.h"

/* The hooks, for kubernetes_plugin. */
extern const struct plugin_explain kube_explain_hooks;

/* A question below a zone of the plugin, its labels as text. */
struct kube_place {
	const struct kube *k;
	const struct kube_zone *zone;
	const struct explain_ask *ask;
	unsigned labels;              /* left of the zone */
	char kind[NAME_MAX_LABEL + 1]; /* "svc", "pod" or another last label; "" at the apex */
	char ns[NAME_MAX_LABEL + 1];   /* the label before it, or "" */
	char name[NAME_MAX_LABEL + 1]; /* the one before that, or "" */
};

/* Say why there is no table entry that decides about the name (explain_missing.c). */
void kube_explain_missing(const struct kube_place *p, struct explanation *x);
/* Warn when the address of a service leads nowhere: no endpoint is ready (explain_missing.c). */
void kube_warn_no_ready(const struct kube_place *p, struct explanation *x);
/* Say why the service has no such endpoint: the first label of the name (explain_missing.c). */
void kube_explain_no_endpoint(const struct kube_place *p, struct explanation *x);
/* Say which ports the service has instead (explain_missing.c). */
void kube_explain_no_port(
	const struct kube_place *p, const struct kube_entry *entry, struct explanation *x);
/* Say why no pod of the namespace has the address (explain_missing.c). */
void kube_explain_no_pod(const struct kube_place *p, const struct ip *ip, struct explanation *x);
/* Say why the address has no name (explain_missing.c). */
void kube_explain_no_address(const struct kube *k, const struct ip *ip, struct explanation *x);
/* NXDOMAIN as it comes out: SERVFAIL before the cluster is known, or passed on (explain.c). */
void kube_explain_nxdomain(const struct kube_place *p, struct explanation *x);
/* The Service or, in a zone of imports, the ServiceImport; NULL when there is none (explain.c). */
const struct object *kube_place_object(const struct kube_place *p);
/* Its EndpointSlices (explain.c). */
struct object_list kube_place_slices(const struct kube_place *p);
/* "Service" or "ServiceImport" (explain.c). */
const char *kube_place_kind(const struct kube_place *p);
/* Write label i of a wire name as text, escaped where it is no text (explain.c). */
void kube_label_text(char out[NAME_MAX_LABEL + 1], const uint8_t *wire, unsigned i);
/* Name of a protocol in lower case, as it stands in names. */
const char *kube_protocol_text(uint8_t protocol);
/* List what the plugin serves (explain_names.c). */
void kube_list_names(void *instance, struct explain_names *l);
