//  dedupe - tips of a file through the engine, one incident id a line out; and what merging costs
//
//    dedupe engine HOME KINDS.json PLACES.csv < tips.tsv     `-` for the built-in kinds and for no places
//        a tip a line, in order of arrival: device, kind, severity 1-3, lat, lon, accuracy, seen (ms), arrived (ms), place, text, TAB between;
//        lat and lon empty = none. Out, in the same order: incident TAB station's why of the tip. HOME must not exist.
//    dedupe cost [INCIDENTS]     figures: nearby alone, with that many incidents open

#include "bench.h"

#include <math.h>
#include <sodium.h>
#include "active.h"
#include "engine.h"
#include "identity.h"
#include "nearby.h"
#include "setup.h"

#define DEVICES 4096
#define LINE_MAX_BYTES 8192
#define FIELDS 10

typedef struct {
    envelope_seal_t seal;
    uint64_t counter;
} sender_t;

typedef struct {
    engine_t *engine;
    uint64_t seq;
    int64_t now_ms;
    sender_t *senders; //  by device number - 1
    uint32_t count;
    //  incident of each tip and what the incidents became: open addressing over `from`
    uint64_t *incidents;
    char (*whys) [420];
    size_t tips, room;
    uint64_t (*merges) [2];
    size_t merge_count, merge_room;
} bench_t;

static char *s_file (const char *path, size_t *size)
{
    FILE *file = fopen (path, "rb");
    if (!file) {
        fprintf (stderr, "dedupe: %s cannot be read\n", path);
        exit (1);
    }
    char *bytes = malloc (64u << 20);
    BENCH_CHECK (bytes);
    *size = fread (bytes, 1, 64u << 20, file);
    fclose (file);
    return bytes;
}

static void s_apply (bench_t *self, take_t *take)
{
    BENCH_CHECK (take->verdict == TAKE_RECORD);
    self->seq++;
    engine_appended (self->engine, take, self->seq);
    engine_completed (self->engine, self->seq);
    BENCH_CHECK (engine_apply (self->engine, self->seq, take->record, take->record_size) == 0);
    BENCH_CHECK (state_commit (engine_state (self->engine), self->now_ms, false) == 0);
    free (take->record);
    free (take->texts);
}

static void s_open (bench_t *self, const char *home, const char *kinds, const char *places)
{
    char *authority = NULL, path [512];
    uint8_t hash [32];
    take_t take;
    size_t size;
    setup_t setup = { .home = home, .name = "bench", .listen = "tcp://127.0.0.1:7410" };
    BENCH_CHECK (identity_init () == 0 && setup_make (&setup, &authority) == 0);
    free (authority);
    snprintf (path, sizeof path, "%s/log.db", home);
    eventlog_t *log = eventlog_open (path);
    eventlog_reader_t *reader = log ? eventlog_reader_open (path) : NULL;
    self->engine = reader ? engine_open (home, reader) : NULL;
    BENCH_CHECK (self->engine);
    self->senders = calloc (DEVICES, sizeof *self->senders);
    BENCH_CHECK (self->senders);
    if (strcmp (kinds, "-") != 0) {
        char *bytes = s_file (kinds, &size);
        engine_load_kinds (self->engine, bytes, size, 1, hash, &take);
        if (take.verdict != TAKE_RECORD)
            fprintf (stderr, "dedupe: %s: %s\n", kinds, take.detail);
        s_apply (self, &take);
        free (bytes);
    }
    if (strcmp (places, "-") != 0) {
        char *bytes = s_file (places, &size);
        engine_load_places (self->engine, bytes, size, DATUM_WGS84, 1, hash, &take);
        if (take.verdict != TAKE_RECORD)
            fprintf (stderr, "dedupe: %s: %s\n", places, take.detail);
        s_apply (self, &take);
        free (bytes);
    }
}

static sender_t *s_sender (bench_t *self, uint32_t device)
{
    const box_keys_t *core = engine_core_keys (self->engine);
    BENCH_CHECK (device >= 1 && device <= DEVICES);
    while (self->count < device) {
        box_keys_t keys, link;
        member_t member
            = { .number = ++self->count, .member = 1000u + self->count, .role = PATROL__ROLE__NODE, .until_ms = INT64_MAX };
        sender_t *sender = &self->senders [self->count - 1];
        box_keys_make (&keys);
        box_keys_make (&link);
        memcpy (member.device_key, keys.public_key, KEY_SIZE);
        memcpy (member.link_key, link.public_key, KEY_SIZE);
        BENCH_CHECK (members_add (engine_members (self->engine), &member));
        BENCH_CHECK (envelope_shared (sender->seal.shared, core->public_key, keys.secret_key) == 0);
        memcpy (sender->seal.district, engine_district (self->engine), DISTRICT_SIZE);
        sender->seal.key_id = envelope_key_id (core->public_key);
    }
    return &self->senders [device - 1];
}

static ProtobufCBinaryData s_bytes (char *text)
{
    return (ProtobufCBinaryData){ strlen (text), (uint8_t *)text };
}

//  What the record says: the bench reads the engine's word, not its memory.
static void s_note (bench_t *self, const take_t *take)
{
    Patrol__Record *record = patrol__record__unpack (NULL, take->record_size, take->record);
    BENCH_CHECK (record);
    if (record->event_case == PATROL__RECORD__EVENT_TIP) {
        if (self->tips == self->room) {
            self->room = self->room ? self->room * 2 : 4096;
            self->incidents = realloc (self->incidents, self->room * sizeof *self->incidents);
            self->whys = realloc (self->whys, self->room * sizeof *self->whys);
            BENCH_CHECK (self->incidents && self->whys);
        }
        snprintf (self->whys [self->tips], sizeof self->whys [0], "%.*s", (int)record->tip->why.len,
            (const char *)record->tip->why.data);
        self->incidents [self->tips++] = record->tip->incident;
    } else if (record->event_case == PATROL__RECORD__EVENT_MERGED) {
        if (self->merge_count == self->merge_room) {
            self->merge_room = self->merge_room ? self->merge_room * 2 : 256;
            self->merges = realloc (self->merges, self->merge_room * sizeof *self->merges);
            BENCH_CHECK (self->merges);
        }
        self->merges [self->merge_count][0] = record->merged->incident;
        self->merges [self->merge_count++][1] = record->merged->into;
    } else
        fprintf (stderr, "dedupe: tip %zu was refused: %s\n", self->tips + 1, take->detail);
    BENCH_CHECK (record->event_case != PATROL__RECORD__EVENT_REFUSED);
    patrol__record__free_unpacked (record, NULL);
}

static void s_tip (bench_t *self, char *line)
{
    char *fields [FIELDS] = { 0 };
    for (int i = 0; i < FIELDS; i++)
        fields [i] = line ? strsep (&line, "\t") : NULL;
    BENCH_CHECK (fields [FIELDS - 1]);
    sender_t *sender = s_sender (self, (uint32_t)strtoul (fields [0], NULL, 10));
    Patrol__Inner inner = PATROL__INNER__INIT;
    Patrol__Tip tip = PATROL__TIP__INIT;
    uint8_t *envelope = NULL;
    take_t take;
    int64_t now_ms = strtoll (fields [7], NULL, 10);
    self->now_ms = now_ms > self->now_ms ? now_ms : self->now_ms;
    tip.kind = s_bytes (fields [1]);
    tip.severity = (uint32_t)strtoul (fields [2], NULL, 10);
    tip.has_position = fields [3][0] != 0;
    tip.lat_e7 = degrees_to_e7 (strtod (fields [3], NULL));
    tip.lon_e7 = degrees_to_e7 (strtod (fields [4], NULL));
    tip.accuracy_m = (uint32_t)strtoul (fields [5], NULL, 10);
    tip.seen_ms = strtoll (fields [6], NULL, 10);
    tip.place = s_bytes (fields [8]);
    tip.text = s_bytes (fields [9]);
    inner.epoch = 1;
    inner.counter = ++sender->counter;
    inner.written_ms = now_ms;
    inner.body_case = PATROL__INNER__BODY_TIP;
    inner.tip = &tip;
    inner.tag = envelope_tag (sender->seal.shared, inner.epoch, inner.counter, &tip.base);
    size_t size = envelope_seal (&envelope, &sender->seal, CLASS_NORMAL, 24, self->now_ms, &inner);
    BENCH_CHECK (size);
    engine_take (self->engine, envelope, size,
        members_get (engine_members (self->engine), (uint32_t)(sender - self->senders) + 1), self->now_ms, &take);
    if (take.verdict != TAKE_RECORD)
        fprintf (stderr, "dedupe: tip %zu: %s\n", self->tips + 1, take.detail);
    BENCH_CHECK (take.verdict == TAKE_RECORD);
    s_note (self, &take);
    s_apply (self, &take);
    while (engine_more (self->engine, self->now_ms, &take)) {
        s_note (self, &take);
        s_apply (self, &take);
    }
    free (envelope);
}

//  Merges in order of happening: each incident is merged away at most once here.
static uint64_t s_became (const bench_t *self, uint64_t incident)
{
    for (size_t i = 0; i < self->merge_count; i++)
        if (self->merges [i][0] == incident)
            incident = self->merges [i][1];
    return incident;
}

static int s_engine (const char *home, const char *kinds, const char *places)
{
    bench_t bench = { 0 };
    char line [LINE_MAX_BYTES];
    s_open (&bench, home, kinds, places);
    double cpu = bench_cpu_seconds ();
    while (fgets (line, sizeof line, stdin)) {
        line [strcspn (line, "\n")] = 0;
        s_tip (&bench, line);
    }
    cpu = bench_cpu_seconds () - cpu;
    for (size_t i = 0; i < bench.tips; i++)
        printf ("%016llx\t%s\n", (unsigned long long)s_became (&bench, bench.incidents [i]), bench.whys [i]);
    size_t bytes;
    uint32_t active = engine_active (bench.engine, &bytes);
    fprintf (stderr,
        "%zu tips, %zu merged by the machine afterwards, %u incidents in %zu KiB, %.1f us of CPU a tip, sealing included\n",
        bench.tips, bench.merge_count, active, bytes / 1024, cpu * 1e6 / (double)(bench.tips ? bench.tips : 1));
    return 0;
}

//  ---- cost

//  A city of 24 by 24 km, the kinds that merge in equal parts, capture times over a month; one in five near an earlier tip.
static nearby_tip_t s_random_tip (uint64_t *random, const kinds_t *kinds, const nearby_tip_t *near)
{
    nearby_tip_t tip = { 0 };
    do
        tip.kind = (int)(bench_random (random) % (uint64_t)kinds_count (kinds));
    while (!kinds_get (kinds, tip.kind)->merge_radius_m);
    tip.lat_e7 = 416000000 + (int32_t)(bench_random (random) % 2160000);
    tip.lon_e7 = -878000000 + (int32_t)(bench_random (random) % 2890000);
    tip.seen_ms = 1409500000000 + (int64_t)(bench_random (random) % (30 * 86400000ull));
    if (near && bench_random (random) % 5 == 0) {
        tip = *near;
        tip.lat_e7 += (int32_t)(bench_random (random) % 10000) - 5000;
        tip.seen_ms += (int64_t)(bench_random (random) % 600000);
    }
    tip.sketch = bench_random (random);
    return tip;
}

static int s_cost (uint32_t incidents)
{
    enum { TIPS = 200000, ROUND = 2000 };
    uint64_t random = 1;
    kinds_t *kinds = kinds_load (NULL, 0, NULL);
    nearby_t *nearby = nearby_new (kinds);
    size_t empty = nearby_memory (nearby);
    nearby_tip_t *tips = calloc (incidents, sizeof *tips), *later = calloc (TIPS, sizeof *later);
    BENCH_CHECK (tips && later);
    for (uint32_t i = 0; i < incidents; i++) {
        tips [i] = s_random_tip (&random, kinds, NULL);
        nearby_begin (nearby, i + 1, &tips [i]);
    }
    BENCH_CHECK (nearby_count (nearby) == incidents);
    size_t bytes = nearby_memory (nearby) - empty;
    for (int i = 0; i < TIPS; i++)
        later [i] = s_random_tip (&random, kinds, &tips [bench_random (&random) % incidents]);
    uint32_t joined = 0;
    nearby_found_t found;
    //  What stays alone is begun, as in the engine; off the clock it is forgotten again, so that the number stays what the figure says.
    double cpu = 0;
    for (int first = 0; first < TIPS; first += ROUND) {
        double began = bench_cpu_seconds ();
        for (int i = first; i < first + ROUND; i++) {
            nearby_find (nearby, &later [i], &found);
            if (found.incident) {
                joined++;
                nearby_join (nearby, found.incident, &later [i]);
                while (nearby_stray (nearby, found.incident, &found))
                    joined++;
            } else
                nearby_begin (nearby, incidents + 1 + (uint64_t)i, &later [i]);
        }
        cpu += bench_cpu_seconds () - began;
        for (int i = first; i < first + ROUND; i++)
            nearby_forget (nearby, incidents + 1 + (uint64_t)i);
    }
    BENCH_CHECK (joined > TIPS / 100);
    bench_figure ("merging, a tip", cpu * 1e6 / TIPS, "us");
    bench_figure ("open incidents", incidents, "incidents");
    bench_figure ("tips that joined", 100.0 * joined / TIPS, "%");
    bench_figure ("memory an open incident, nearby", (double)bytes / incidents, "B");
    //  Beside it the engine keeps version, owner, status and devices.
    active_t *active = active_new ();
    for (uint32_t i = 0; i < incidents; i++)
        active_add_device (active_put (active, i + 1), i);
    bench_figure ("memory an open incident, active", (double)active_memory (active) / incidents, "B");
    active_destroy (&active);
    nearby_destroy (&nearby);
    kinds_destroy (&kinds);
    return 0;
}

int main (int argc, char **argv)
{
    if (argc == 5 && strcmp (argv [1], "engine") == 0)
        return s_engine (argv [2], argv [3], argv [4]);
    if ((argc == 2 || argc == 3) && strcmp (argv [1], "cost") == 0)
        return s_cost (argc == 3 ? (uint32_t)strtoul (argv [2], NULL, 10) : 100000);
    fprintf (stderr, "usage: dedupe engine HOME KINDS.json|- PLACES.csv|- < tips.tsv | dedupe cost [INCIDENTS]\n");
    return 2;
}
