//  meshview - the mesh for people

#include <stdio.h>
#include <string.h>

#include "nodeverbs.h"
#include "timefmt.h"

static int s_int (const json_t *object, const char *group, const char *key)
{
    return (int)json_integer_value (json_object_get (group ? json_object_get (object, group) : object, key));
}

//  "name count, name count" of an object of counts.
static void s_counts (const json_t *object, char *out, size_t room)
{
    const char *key;
    json_t *count;
    size_t used = 0;
    out [0] = 0;
    json_object_foreach ((json_t *)object, key, count)
    {
        if (used + 1 < room)
            used += (size_t)snprintf (
                out + used, room - used, "%s%s %lld", used ? ", " : "", key, (long long)json_integer_value (count));
    }
}

static void s_neighbours (cli_t *cli, const json_t *list)
{
    static const text_id_t headings []
        = { T_HEAD_NEIGHBOUR, T_HEAD_LINK, T_HEAD_HOPS, T_HEAD_IN, T_HEAD_OUT, T_HEAD_OFFENCES };
    size_t index;
    json_t *one;
    if (json_array_size (list) == 0) {
        printf ("%s", text (T_MESH_NONE));
        return;
    }
    table_t *table = table_new (cli, headings, 6);
    json_array_foreach (list, index, one)
    {
        char met [24], hops [16] = "", in [16], out [16], offences [200];
        const char *key = json_string_value (json_object_get (one, "key"));
        memcpy (met, "-", 2);
        if (json_object_get (one, "met_s"))
            duration_format (met, (int64_t)s_int (one, NULL, "met_s") * 1000);
        if (json_object_get (one, "hops"))
            snprintf (hops, sizeof hops, "%d", s_int (one, NULL, "hops"));
        snprintf (in, sizeof in, "%d", s_int (one, NULL, "tips_in"));
        snprintf (out, sizeof out, "%d", s_int (one, NULL, "tips_out"));
        s_counts (json_object_get (one, "offences"), offences, sizeof offences);
        bool linked = json_is_true (json_object_get (one, "linked"));
        const char *cells [] = { key ? key : "", linked ? text (T_LINK_NOW) : met, hops, in, out, offences };
        table_row (table, cells);
    }
    table_print (&table);
}

static void s_gpsd (const json_t *gpsd)
{
    char age [24];
    if (!gpsd)
        return;
    if (!json_is_true (json_object_get (gpsd, "connected")))
        printf ("%s", text (T_MESH_NO_GPSD));
    else if (json_is_integer (json_object_get (gpsd, "fix_s"))) {
        duration_format (age, (int64_t)s_int (gpsd, NULL, "fix_s") * 1000);
        printf (text_format (T_MESH_GPSD), age);
    } else
        printf ("%s", text (T_MESH_NO_FIX));
}

static bool s_print (void *context, json_t *view)
{
    cli_t *cli = context;
    char refused [200];
    if (cli_json (cli)) {
        cli_print_json (view);
        return true;
    }
    if (json_is_true (json_object_get (view, "gateway")))
        printf ("%s", text (T_MESH_GATEWAY));
    else if (json_object_get (view, "hops"))
        printf (text_format (T_MESH_HOPS), s_int (view, NULL, "hops"));
    else
        printf ("%s", text (T_MESH_NO_PATH));
    printf (text_format (T_MESH_CARRIED), s_int (view, "carried", "sos"), s_int (view, "carried", "urgent"),
        s_int (view, "carried", "normal"), s_int (view, "carried", "bulk"), s_int (view, "carried", "own"),
        (long long)s_int (view, "budget", "bytes"), (long long)s_int (view, "budget", "of"));
    printf (text_format (T_MESH_RECEIPTS), s_int (view, "receipts", "epochs"), s_int (view, "receipts", "newest"),
        s_int (view, "receipts", "revoked"), s_int (view, NULL, "letters"));
    s_gpsd (json_object_get (view, "gpsd"));
    s_counts (json_object_get (view, "refused"), refused, sizeof refused);
    if (refused [0])
        printf (text_format (T_MESH_REFUSED), refused);
    s_neighbours (cli, json_object_get (view, "neighbours"));
    return true;
}

int verb_mesh (cli_t *cli)
{
    return node_ask (cli, json_pack ("{s:s}", "do", "mesh"), false, s_print, cli);
}
