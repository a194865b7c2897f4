// SPDX-License-Identifier: GPL-2.0-only
/* Messages between APICs: who is meant (SDM 3 11.6.2, 11.12.9), and the map that tells fast. */
#include "lapic.h"

#define MAX_TARGETS	16	/* a cluster of x2APICs; flat and cluster mode have 8 and 4 */

u32 lapic_x2apic_ldr(u32 id)
{
	return (id >> 4) << 16 | BIT(id & 15);
}

/*
 * The id that messages call @a by. A vCPU whose id does not fit into an xAPIC
 * id keeps being reached by the whole id, so that it can be started.
 */
static u32 phys_id(const struct lapic *a)
{
	u32 id;

	if (READ_ONCE(a->mode) == LAPIC_X2APIC)
		return a->id;
	id = lapic_get(a, LAPIC_ID) >> 24;
	return id == (a->id & 0xff) ? a->id : id;
}

/* ---- matching one APIC: always right, and the definition of what the map has to say ---- */

static bool is_broadcast(struct lapic_domain *d, const struct lapic *a, const struct apic_msg *m)
{
	if (m->dest == X2APIC_BROADCAST)
		return true;
	if (m->dest != XAPIC_BROADCAST || m->x2apic_src)
		return false;
	return READ_ONCE(a->mode) == LAPIC_XAPIC || d->broadcast_quirk;
}

static bool match_logical(const struct lapic *a, u32 dest)
{
	u32 ldr = lapic_get(a, LAPIC_LDR);

	if (READ_ONCE(a->mode) == LAPIC_X2APIC)
		return ldr >> 16 == dest >> 16 && (ldr & dest & 0xffff);
	if (dest > 0xff)
		return false;
	ldr >>= 24;
	switch (lapic_get(a, LAPIC_DFR) >> 28) {
	case DFR_FLAT:
		return ldr & dest;
	case DFR_CLUSTER:
		return ldr >> 4 == dest >> 4 && (ldr & dest & 0xf);
	default:
		return false;
	}
}

bool lapic_match(struct lapic_domain *d, struct lapic *a, const struct apic_msg *m)
{
	if (READ_ONCE(a->mode) == LAPIC_OFF)
		return false;
	if (is_broadcast(d, a, m))
		return true;
	return m->logical ? match_logical(a, m->dest) : phys_id(a) == m->dest;
}

/* ---- the map ---- */

size_t lapic_map_bytes(u32 size)
{
	return sizeof(struct lapic_map) + 2 * (size_t)size * sizeof(struct lapic *);
}

void lapic_map_init(struct lapic_map *map, u32 size)
{
	memset(map, 0, lapic_map_bytes(size));
	map->size = size;
	map->all = map->phys + size;
}

void lapic_map_add(struct lapic_map *map, struct lapic *a)
{
	if (map->nr >= map->size)
		return;
	map->all[map->nr] = a;
	smp_wmb();	/* the entry before nr; pairs with whoever walks all[] up to nr */
	WRITE_ONCE(map->nr, map->nr + 1);
}

static u8 logical_kind(const struct lapic *a)
{
	if (a->mode == LAPIC_X2APIC)
		return LOGICAL_X2APIC;
	if (!(lapic_get(a, LAPIC_LDR) >> 24))
		return LOGICAL_NONE;	/* receives no logical message but broadcasts */
	switch (lapic_get(a, LAPIC_DFR) >> 28) {
	case DFR_FLAT:
		return LOGICAL_FLAT;
	case DFR_CLUSTER:
		return LOGICAL_CLUSTER;
	default:
		return LOGICAL_NONE;
	}
}

static void map_logical(struct lapic_map *map, struct lapic *a, u8 kind)
{
	u32 ldr = lapic_get(a, LAPIC_LDR) >> 24;
	u32 bits = kind == LOGICAL_FLAT ? ldr : ldr & 0xf;
	u32 base = kind == LOGICAL_FLAT ? 0 : (ldr >> 4) * 4;

	for (; bits; bits &= bits - 1) {
		struct lapic **slot = &map->logical[base + __ffs(bits)];

		/* Two owners of one bit: only asking everybody is right. */
		if (*slot)
			map->logical_kind = LOGICAL_MIXED;
		*slot = a;
	}
}

static void map_one(struct lapic_map *map, struct lapic *a)
{
	u32 id = phys_id(a);
	u8 kind = logical_kind(a);

	if (a->mode == LAPIC_OFF)
		return;
	if (id < map->size) {
		if (map->phys[id])
			map->phys_unique = false;
		map->phys[id] = a;
	} else {
		map->phys_unique = false;
	}
	if (kind == LOGICAL_NONE)
		return;
	if (map->logical_kind == LOGICAL_NONE)
		map->logical_kind = kind;
	else if (map->logical_kind != kind)
		map->logical_kind = LOGICAL_MIXED;
	if (map->logical_kind == LOGICAL_FLAT || map->logical_kind == LOGICAL_CLUSTER)
		map_logical(map, a, kind);
}

void lapic_map_rebuild(struct lapic_map *map)
{
	u32 i;

	WRITE_ONCE(map->seq, map->seq + 1);
	smp_wmb();	/* odd before the first change; pairs with map_lookup() */
	memset(map->phys, 0, map->size * sizeof(map->phys[0]));
	memset(map->logical, 0, sizeof(map->logical));
	map->phys_unique = true;
	map->logical_kind = LOGICAL_NONE;
	for (i = 0; i < map->nr; i++)
		map_one(map, map->all[i]);
	smp_wmb();	/* the last change before even; pairs with map_lookup() */
	WRITE_ONCE(map->seq, map->seq + 1);
}

static struct lapic *map_phys(const struct lapic_map *map, u32 id)
{
	if (id >= map->size)
		return NULL;
	return READ_ONCE(map->phys[array_index_nospec(id, map->size)]);
}

static struct lapic *map_logical_bit(const struct lapic_map *map, u8 kind, u32 dest, u32 bit)
{
	struct lapic *a;

	if (kind == LOGICAL_X2APIC) {
		/* An xAPIC without logical id may stand at that physical one. */
		a = map_phys(map, (dest >> 16) << 4 | bit);
		return a && READ_ONCE(a->mode) == LAPIC_X2APIC ? a : NULL;
	}
	return READ_ONCE(map->logical[kind == LOGICAL_FLAT ? bit : (dest >> 4 & 15) * 4 + bit]);
}

/* One with several bits in its logical id is met several times. */
static bool among(struct lapic *const *to, int n, const struct lapic *a)
{
	while (n)
		if (to[--n] == a)
			return true;
	return false;
}

static u32 logical_mask(u8 kind)
{
	return kind == LOGICAL_X2APIC ? 0xffff : kind == LOGICAL_FLAT ? 0xff : 0xf;
}

/*
 * The targets of a message that is no broadcast: their number, or -1 when the map
 * cannot tell and every APIC has to be asked.
 */
static int map_lookup(const struct lapic_map *map, const struct apic_msg *m,
		      struct lapic *to[MAX_TARGETS])
{
	unsigned int seq = READ_ONCE(map->seq);
	u32 bits;
	int n = 0;
	u8 kind;

	if (seq & 1)
		return -1;
	smp_rmb();	/* seq before the map; pairs with lapic_map_rebuild() */
	if (!m->logical) {
		to[0] = map_phys(map, m->dest);
		n = to[0] ? 1 : 0;
		if (!READ_ONCE(map->phys_unique))
			return -1;
	} else {
		kind = READ_ONCE(map->logical_kind);
		/* Logical x2APIC ids are looked up by the physical ones that they stand for. */
		if (kind == LOGICAL_MIXED ||
		    (kind == LOGICAL_X2APIC && !READ_ONCE(map->phys_unique)))
			return -1;
		bits = m->dest & logical_mask(kind);
		/* Nobody, if the map is whole. */
		if (kind == LOGICAL_NONE || (kind != LOGICAL_X2APIC && m->dest > 0xff))
			bits = 0;
		for (; bits; bits &= bits - 1) {
			to[n] = map_logical_bit(map, kind, m->dest, __ffs(bits));
			if (to[n] && !among(to, n, to[n]))
				n++;
		}
	}
	smp_rmb();	/* the map before seq; pairs with lapic_map_rebuild() */
	return READ_ONCE(map->seq) == seq ? n : -1;
}

/* ---- delivery ---- */

static void add_result(int *sum, int r)
{
	if (r < 0)
		return;
	*sum = *sum < 0 ? r : *sum + r;
}

/* The candidates take turns (SDM 3 11.6.2.4 leaves the choice to the chipset). */
static int deliver_turn(struct lapic_domain *d, struct lapic **to, u32 n, const struct apic_msg *m)
{
	u32 turn = READ_ONCE(d->turn), i;

	WRITE_ONCE(d->turn, turn + 1);
	for (i = 0; i < n; i++) {
		struct lapic *a = to[(turn + i) % n];

		if (READ_ONCE(a->sw_enabled))
			return lapic_accept(a, m);
	}
	return -1;
}

/* Ask everybody: broadcasts, shorthands, and ids that the map cannot resolve. */
static int deliver_slow(struct lapic_domain *d, struct lapic_map *map, struct lapic *src,
			const struct apic_msg *m)
{
	bool lowest = m->mode == DM_LOWEST;
	u32 nr = min(READ_ONCE(map->nr), map->size);
	u32 turn = READ_ONCE(d->turn), i;
	int sum = -1;

	smp_rmb();	/* nr before the entries; pairs with lapic_map_add() */
	if (lowest)
		WRITE_ONCE(d->turn, turn + 1);
	else
		turn = 0;
	for (i = 0; i < nr; i++) {
		struct lapic *a = map->all[(turn + i) % nr];

		if (m->shorthand == SHORTHAND_OTHERS && a == src)
			continue;
		if (m->shorthand ? READ_ONCE(a->mode) == LAPIC_OFF : !lapic_match(d, a, m))
			continue;
		if (lowest && !READ_ONCE(a->sw_enabled))
			continue;
		add_result(&sum, lapic_accept(a, m));
		if (lowest)
			break;
	}
	return sum;
}

static bool may_be_broadcast(const struct apic_msg *m)
{
	return m->dest == X2APIC_BROADCAST || (m->dest == XAPIC_BROADCAST && !m->x2apic_src);
}

bool lapic_asks_all(const struct lapic_map *map, const struct apic_msg *m)
{
	struct lapic *to[MAX_TARGETS];

	return m->shorthand || may_be_broadcast(m) || map_lookup(map, m, to) < 0;
}

int lapic_deliver(struct lapic_domain *d, struct lapic_map *map, struct lapic *src,
		  const struct apic_msg *m)
{
	struct lapic *to[MAX_TARGETS];
	int n, i, sum = -1;

	if (m->shorthand == SHORTHAND_SELF)
		return lapic_accept(src, m);
	if (m->shorthand || may_be_broadcast(m))
		return deliver_slow(d, map, src, m);
	n = map_lookup(map, m, to);
	if (unlikely(n < 0))
		return deliver_slow(d, map, src, m);
	if (likely(n == 1))
		return lapic_accept(to[0], m);
	if (m->mode == DM_LOWEST)
		return deliver_turn(d, to, n, m);
	for (i = 0; i < n; i++)
		add_result(&sum, lapic_accept(to[i], m));
	return sum;
}

bool lapic_dest_in_use(struct lapic_domain *d, struct lapic_map *map, const struct apic_msg *m)
{
	u32 nr = min(READ_ONCE(map->nr), map->size);
	u32 i;

	smp_rmb();	/* nr before the entries; pairs with lapic_map_add() */
	for (i = 0; i < nr; i++) {
		if (lapic_match(d, map->all[i], m) && lapic_vector_in_use(map->all[i], m->vector))
			return true;
	}
	return false;
}

/* ---- the interrupt command register ---- */

void lapic_self_ipi(struct lapic *a, u8 vector)
{
	if (vector < 16)
		lapic_error(a, ESR_SEND_VECTOR);
	lapic_accept_fixed(a, vector, false);
}

void lapic_write_icr(struct lapic *a, u32 low, u32 dest)
{
	bool x2apic = a->mode == LAPIC_X2APIC;
	struct apic_msg m = {
		.dest		= dest,
		.vector		= low,
		.mode		= low >> 8 & 7,
		.shorthand	= low >> 18 & 3,
		.logical	= low & ICR_LOGICAL,
		.assert		= low & ICR_LEVEL_ASSERT,
		/* Only INIT knows levels; trigger mode is ignored for the rest (SDM 3 11.6.1). */
		.level		= (low & ICR_TRIGGER_LEVEL) && (low >> 8 & 7) == DM_INIT,
		.x2apic_src	= x2apic,
	};

	if (m.mode == DM_RESERVED || m.mode == DM_EXTINT)
		return;
	if (m.mode <= DM_LOWEST && m.vector < 16) {
		lapic_error(a, ESR_SEND_VECTOR);
		return;
	}
	if (m.shorthand == SHORTHAND_SELF) {
		lapic_accept(a, &m);
		return;
	}
	lapic_out_send(a, &m);
}
