//  files - the county as area file and place file

#include <string.h>
#include "picture.h"

static void s_coordinates (const line_t *line, bool closed, FILE *out)
{
    for (size_t i = 0; i < line->count + (closed ? 1 : 0); i++) {
        position_t position = ground_position (line->spots [i % line->count]);
        fprintf (out, "%s[%.6f,%.6f]", i ? "," : "", position.lon, position.lat);
    }
}

static void s_polygon (const char *id, const char *properties, const line_t *ring, FILE *out)
{
    fprintf (out,
        "{\"type\":\"Feature\",\"id\":\"%s\",\"properties\":{\"id\":\"%s\",%s},"
        "\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[",
        id, id, properties);
    s_coordinates (ring, true, out);
    fputs ("]]}},\n", out);
}

void areas_write (const ground_t *ground, FILE *out)
{
    char properties [256];
    fputs ("{\"type\":\"FeatureCollection\",\"features\":[\n", out);
    snprintf (
        properties, sizeof properties, "\"station\":\"county\",\"name\":\"%s公安局 %s\",\"level\":2", county_zh, county_en);
    s_polygon ("county", properties, &ground->outline, out);
    for (int i = 0; i < TOWNS; i++) {
        const town_t *town = &ground->towns [i];
        snprintf (properties, sizeof properties,
            "\"station\":\"%s\",\"name\":\"%s派出所 %s\",\"level\":1,\"parent\":\"county\"", town->station, town->zh,
            town->en);
        s_polygon (town->station, properties, &town->ring, out);
    }
    fputs ("{\"type\":\"Feature\",\"id\":\"road\",\"properties\":{\"id\":\"road\",\"station\":\"traffic\",\"name\":\"S905 "
           "公路中队 Road S905\","
           "\"level\":1,\"parent\":\"county\",\"kinds\":[\"traffic\",\"hazard\"],\"buffer_m\":60},"
           "\"geometry\":{\"type\":\"LineString\",\"coordinates\":[",
        out);
    s_coordinates (&ground->trunk, false, out);
    fputs ("]}}", out);
    for (int i = 0; i < CHECKPOINTS; i++) {
        position_t position = ground_position (ground->checkpoint [i]);
        const char *side = i ? "east" : "west";
        fprintf (out,
            ",\n{\"type\":\"Feature\",\"id\":\"check-%s\",\"properties\":{\"id\":\"check-%s\",\"station\":\"checkpoint\","
            "\"name\":\"%s %s checkpoint\",\"level\":1,\"parent\":\"county\",\"radius_m\":400},"
            "\"geometry\":{\"type\":\"Point\",\"coordinates\":[%.6f,%.6f]}}",
            side, side, i ? "东卡口" : "西卡口", i ? "East" : "West", position.lon, position.lat);
    }
    fputs ("\n]}\n", out);
}

void places_write (const ground_t *ground, FILE *out)
{
    fputs ("name,lat,lon,kind,area,aliases\n", out);
    //  The county has no point of its own: it is where its towns are
    fprintf (out, "%s,,,county,,%s\n", county_zh, county_en);
    for (int i = 0; i < ground->place_count; i++) {
        const named_t *place = &ground->places [i];
        position_t position = ground_position (place->spot);
        const char *under = strcmp (place->kind, "town") == 0 ? "" : ground->towns [place->town].zh;
        fprintf (out, "%s,%.6f,%.6f,%s,%s%s,%s%s%s\n", place->zh, position.lat, position.lon, place->kind,
            *under ? under : county_zh, *under ? "镇" : "", place->en, *place->alias ? ";" : "", place->alias);
    }
}
