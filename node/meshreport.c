//  meshreport - see meshreport.h

#include "meshreport.h"

#include <sodium.h>

#include "timefmt.h"

static json_t *s_hex (const uint8_t *bytes, size_t size)
{
    char hex [2 * KEY_SIZE + 1];
    sodium_bin2hex (hex, sizeof hex, bytes, size);
    return json_string (hex);
}

static json_t *s_offences (const uint64_t *counts)
{
    static const char *const names [MESH_OFFENCES] = { "bad_frame", "forged_epoch", "replayed_epoch", "minted_tokens",
        "too_many_ids", "too_many_tips", "unasked_tip", "stalled", "bad_tip", "no_receipts" };
    json_t *object = json_object ();
    for (int i = 0; i < MESH_OFFENCES; i++)
        if (counts [i])
            json_object_set_new (object, names [i], json_integer ((json_int_t)counts [i]));
    return object;
}

static json_t *s_neighbour (const meshreport_t *from, const mesh_neighbour_t *one, int64_t now)
{
    uint64_t counts [MESH_OFFENCES];
    for (int i = 0; i < MESH_OFFENCES; i++)
        counts [i] = one->offences [i];
    //  Eight octets of the key name a neighbour well enough to be told from another one.
    json_t *object = json_pack ("{s:o, s:b, s:I, s:I, s:I, s:I, s:o}", "key", s_hex (one->key, 8), "linked", one->linked,
        "bytes_stored", (json_int_t)one->bytes_stored, "tips_in", (json_int_t)one->tips_in, "tips_out",
        (json_int_t)one->tips_out, "owing", (json_int_t)one->owing, "offences", s_offences (counts));
    if (one->linked && *meshlinks_address (from->links, one->link))
        json_object_set_new (object, "address", json_string (meshlinks_address (from->links, one->link)));
    if (one->met != INT64_MIN)
        json_object_set_new (object, "met_s", json_integer ((now - one->met) / 1000));
    if (one->hops != 255)
        json_object_set_new (object, "hops", json_integer (one->hops));
    if (one->utility_s != UINT32_MAX)
        json_object_set_new (object, "utility_s", json_integer (one->utility_s));
    return object;
}

//  Totals by reason; with `one`, of that key alone.
static json_t *s_refused (const meshrefused_t *refused, const refused_key_t *one)
{
    json_t *object = json_object ();
    for (int verdict = CARD_MALFORMED; verdict < CARD_VERDICTS; verdict++) {
        uint64_t count = one ? one->counts [verdict] : refused->totals [verdict];
        if (count)
            json_object_set_new (object, card_verdict_name ((card_verdict_t)verdict), json_integer ((json_int_t)count));
    }
    return object;
}

static json_t *s_refused_keys (const meshrefused_t *refused, int64_t now_mono_ms)
{
    json_t *array = json_array ();
    for (int i = 0; i < REFUSED_KEYS; i++) {
        const refused_key_t *one = &refused->keys [i];
        if (one->last_ms)
            json_array_append_new (array,
                json_pack ("{s:o, s:o, s:I}", "key", s_hex (one->key, 8), "reasons", s_refused (refused, one), "last_s",
                    (json_int_t)((now_mono_ms - one->last_ms) / 1000)));
    }
    return array;
}

json_t *meshreport (const meshreport_t *from)
{
    int64_t now = from->now;
    mesh_counters_t c;
    mesh_neighbour_t one;
    mesh_counters (from->mesh, &c, now);
    json_t *neighbours = json_array ();
    for (size_t i = 0; i < 100 && mesh_neighbour (from->mesh, i, &one); i++)
        json_array_append_new (neighbours, s_neighbour (from, &one, now));
    json_t *view = json_pack (
        "{s:I, s:b, s:o}", "port", (json_int_t)meshlinks_port (from->links), "gateway", c.gateway, "neighbours", neighbours);
    if (c.hops != 255)
        json_object_set_new (view, "hops", json_integer (c.hops));
    if (c.utility_s != UINT32_MAX)
        json_object_set_new (view, "utility_s", json_integer (c.utility_s));
    json_object_set_new (view, "carried",
        json_pack ("{s:I, s:I, s:I, s:I, s:I, s:I}", "sos", (json_int_t)c.held [0], "urgent", (json_int_t)c.held [1],
            "normal", (json_int_t)c.held [2], "bulk", (json_int_t)c.held [3], "passive", (json_int_t)c.passive, "own",
            (json_int_t)c.own));
    json_object_set_new (view, "budget",
        json_pack ("{s:I, s:I, s:I}", "bytes", (json_int_t)c.bytes_held, "of", (json_int_t)from->settings->buffer_bytes,
            "tips", (json_int_t)from->settings->buffer_tips));
    json_object_set_new (view, "receipts",
        json_pack ("{s:I, s:I, s:I, s:I, s:I}", "epochs", (json_int_t)c.epochs, "series", (json_int_t)c.epoch_series,
            "newest", (json_int_t)c.epoch_newest, "missing", (json_int_t)c.epochs_missing, "revoked",
            (json_int_t)c.revocations));
    json_object_set_new (view, "traffic",
        json_pack ("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "bytes_out",
            (json_int_t)meshlinks_bytes (from->links, true), "bytes_in", (json_int_t)meshlinks_bytes (from->links, false),
            "control_out", (json_int_t)c.frame_bytes_out, "control_in", (json_int_t)c.frame_bytes_in, "tips_out",
            (json_int_t)c.tips_out, "tips_in", (json_int_t)c.tips_in, "tip_bytes_out", (json_int_t)c.tip_bytes_out,
            "tip_bytes_in", (json_int_t)c.tip_bytes_in, "tips_had", (json_int_t)c.tips_had, "tip_bytes_had",
            (json_int_t)c.tip_bytes_had, "evicted", (json_int_t)c.evicted, "expired", (json_int_t)c.expired,
            "receipted", (json_int_t)c.receipted, "submitted", (json_int_t)c.submitted));
    json_object_set_new (view, "waiting_for_broker", json_integer ((json_int_t)from->waiting));
    json_object_set_new (view, "letters", json_integer (from->letters));
    const meshrefused_t *refused = meshlinks_refused (from->links);
    json_object_set_new (view, "refused", s_refused (refused, NULL));
    json_object_set_new (view, "refused_keys", s_refused_keys (refused, time_mono_ms ()));
    json_object_set_new (view, "offences", s_offences (from->offences));
    return view;
}
