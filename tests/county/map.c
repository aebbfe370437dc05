//  map - the county as a picture for people

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "picture.h"

#define WIDTH 1280
#define HEIGHT 960
#define METRES_A_PIXEL 40.5

static double s_x (spot_t spot)
{
    return WIDTH / 2.0 + spot.x / METRES_A_PIXEL;
}
static double s_y (spot_t spot)
{
    return HEIGHT / 2.0 + 22 - spot.y / METRES_A_PIXEL;
}

static void s_path (const line_t *line, bool closed, const char *attributes, FILE *out)
{
    fputs ("<path d=\"", out);
    for (size_t i = 0; i < line->count; i++)
        fprintf (out, "%s%.1f %.1f", i ? "L" : "M", s_x (line->spots [i]), s_y (line->spots [i]));
    fprintf (out, "%s\" %s/>\n", closed ? "Z" : "", attributes);
}

static void s_head (const ground_t *ground, FILE *out)
{
    fprintf (out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
        "font-family=\"'Noto Sans CJK SC','Source Han Sans SC','WenQuanYi Zen Hei','Microsoft YaHei',sans-serif\">\n"
        "<title>%s %s</title>\n"
        "<style>.line{fill:none;stroke-linejoin:round;stroke-linecap:round}"
        ".halo{paint-order:stroke;stroke:#fbf9f3;stroke-width:3.5px;stroke-linejoin:round}</style>\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"#e9e5da\"/>\n<defs><clipPath id=\"in\">",
        WIDTH, HEIGHT, WIDTH, HEIGHT, county_zh, county_en);
    s_path (&ground->outline, true, "", out);
    fputs ("</clipPath></defs>\n", out);
}

static void s_land (const ground_t *ground, FILE *out)
{
    static const char *const tint [TOWNS] = { "#f7ecd3", "#e3edd5", "#f3e0d6", "#dfe9e4", "#ece3ee", "#e4ead0" };
    //  Around the county, water and roads go on faintly
    fputs ("<g opacity=\"0.35\">\n", out);
    for (int i = 0; i < RIVERS; i++)
        s_path (&ground->river [i], false, "class=\"line\" stroke=\"#9cc3dc\" stroke-width=\"6\"", out);
    for (int i = 0; i < ROADS; i++)
        s_path (&ground->road [i], false, "class=\"line\" stroke=\"#b7ab94\" stroke-width=\"2.5\"", out);
    fputs ("</g>\n", out);
    s_path (&ground->outline, true, "fill=\"#fff\" stroke=\"#cfc6b4\" stroke-width=\"11\" stroke-linejoin=\"round\"", out);
    for (int i = 0; i < TOWNS; i++) {
        char fill [80];
        snprintf (fill, sizeof fill, "fill=\"%s\" stroke=\"%s\" stroke-width=\"0.6\"", tint [i], tint [i]);
        s_path (&ground->towns [i].ring, true, fill, out);
    }
}

static void s_lines (const ground_t *ground, FILE *out)
{
    fputs ("<g clip-path=\"url(#in)\">\n", out);
    s_path (&ground->trunk, false, "class=\"line\" stroke=\"#e8963c\" stroke-opacity=\"0.22\" stroke-width=\"15\"", out);
    for (int i = RIVERS - 1; i >= 0; i--) {
        s_path (&ground->river [i], false,
            i ? "class=\"line\" stroke=\"#7fb0d0\" stroke-width=\"5\""
              : "class=\"line\" stroke=\"#7fb0d0\" stroke-width=\"10\"",
            out);
        s_path (&ground->river [i], false,
            i ? "class=\"line\" stroke=\"#a9d0e8\" stroke-width=\"3.4\""
              : "class=\"line\" stroke=\"#a9d0e8\" stroke-width=\"8\"",
            out);
    }
    for (int i = ROADS - 1; i > 0; i--)
        s_path (&ground->road [i], false, "class=\"line\" stroke=\"#a89a80\" stroke-width=\"4.4\"", out);
    s_path (&ground->road [0], false, "class=\"line\" stroke=\"#a3641f\" stroke-width=\"6.4\"", out);
    for (int i = ROADS - 1; i > 0; i--)
        s_path (&ground->road [i], false, "class=\"line\" stroke=\"#fffdf6\" stroke-width=\"2.8\"", out);
    s_path (&ground->road [0], false, "class=\"line\" stroke=\"#f4b552\" stroke-width=\"4.2\"", out);
    fputs ("</g>\n", out);
    for (int i = 0; i < TOWNS; i++)
        s_path (&ground->towns [i].ring, true,
            "class=\"line\" stroke=\"#8a6f9a\" stroke-width=\"1.3\" stroke-dasharray=\"7 3 1.5 3\"", out);
    s_path (&ground->outline, true, "class=\"line\" stroke=\"#6b4f7d\" stroke-width=\"2.4\"", out);
}

static void s_text (FILE *out, double x, double y, const char *attributes, const char *text)
{
    fprintf (out, "<text x=\"%.1f\" y=\"%.1f\" class=\"halo\" %s>%s</text>\n", x, y, attributes, text);
}

static void s_small_places (const ground_t *ground, FILE *out)
{
    for (int i = 0; i < ground->place_count; i++) {
        const named_t *place = &ground->places [i];
        double x = s_x (place->spot), y = s_y (place->spot);
        if (strcmp (place->kind, "village") == 0) {
            fprintf (out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.2\" fill=\"#6d6558\"/>\n", x, y);
            s_text (out, x + 5, y + 3.5, "font-size=\"10\" fill=\"#5d564a\"", place->alias);
        } else if (strcmp (place->kind, "bridge") == 0)
            fprintf (out,
                "<path d=\"M%.1f %.1fl4 -4m-8 0l4 4m0 4l4 4m-8 0l4 -4\" stroke=\"#53483a\" stroke-width=\"1.2\" "
                "fill=\"none\"/>\n",
                x, y - 2);
        else if (strcmp (place->kind, "town") != 0 && strcmp (place->kind, "police") != 0
            && strcmp (place->kind, "checkpoint") != 0)
            fprintf (out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"4\" height=\"4\" fill=\"#9a7f52\"/>\n", x - 2, y - 2);
    }
}

static void s_stations (const ground_t *ground, FILE *out)
{
    for (int i = 0; i < CHECKPOINTS; i++) {
        double x = s_x (ground->checkpoint [i]), y = s_y (ground->checkpoint [i]);
        fprintf (out,
            "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"#d2483a\" fill-opacity=\"0.18\" stroke=\"#b8382c\" "
            "stroke-width=\"1.2\"/><rect x=\"%.1f\" y=\"%.1f\" width=\"8\" height=\"8\" fill=\"#b8382c\" "
            "stroke=\"#fff\"/>\n",
            x, y, 400 / METRES_A_PIXEL, x - 4, y - 4);
        s_text (out, x, y + 24, "font-size=\"11.5\" fill=\"#8f2a20\" text-anchor=\"middle\"", i ? "东卡口" : "西卡口");
    }
    for (int i = 0; i < TOWNS; i++) {
        const town_t *town = &ground->towns [i];
        double x = s_x (town->seat), y = s_y (town->seat);
        fprintf (out,
            "<path transform=\"translate(%.1f %.1f)\" d=\"M0 -11L9.5 -7V1C9.5 6.5 5 10 0 12C-5 10 -9.5 6.5 -9.5 1V-7Z\" "
            "fill=\"#27518a\" stroke=\"#fff\" stroke-width=\"1.6\"/>"
            "<path transform=\"translate(%.1f %.1f)\" d=\"M0 -5.2L1.5 -1.6L5.2 -1.5L2.3 .9L3.3 4.6L0 2.5L-3.3 4.6L-2.3 "
            ".9L-5.2 -1.5L-1.5 -1.6Z\" "
            "fill=\"#ffd766\"/>\n",
            x, y, x, y);
        s_text (out, x + 15, y - 3,
            i ? "font-size=\"21\" font-weight=\"bold\" fill=\"#2e2a24\""
              : "font-size=\"26\" font-weight=\"bold\" fill=\"#2e2a24\"",
            town->zh);
        s_text (out, x + 16, y + 12, "font-size=\"12\" fill=\"#55504a\"", town->en);
    }
}

static void s_legend (const ground_t *ground, FILE *out)
{
    fprintf (out,
        "<text x=\"40\" y=\"58\" font-size=\"32\" font-weight=\"bold\" fill=\"#2e2a24\">%s</text>"
        "<text x=\"40\" y=\"82\" font-size=\"15\" fill=\"#6a645a\">%s, an invented place</text>\n",
        county_zh, county_en);
    double bar = 10000 / METRES_A_PIXEL, x = WIDTH - 60 - bar;
    fprintf (out,
        "<path d=\"M%.1f %d v6 h%.1f v-6\" fill=\"none\" stroke=\"#2e2a24\" stroke-width=\"1.5\"/>"
        "<text x=\"%.1f\" y=\"%d\" font-size=\"12\" text-anchor=\"middle\" fill=\"#2e2a24\">10 km</text>\n",
        x, HEIGHT - 46, bar, x + bar / 2, HEIGHT - 50);
    fprintf (out,
        "<g transform=\"translate(%d 62)\"><path d=\"M0 -24L7 8L0 3L-7 8Z\" fill=\"#2e2a24\"/>"
        "<text y=\"24\" font-size=\"13\" text-anchor=\"middle\" fill=\"#2e2a24\">北 N</text></g>\n",
        WIDTH - 70);
    s_text (out, s_x (ground->trunk.spots [ground->trunk.count / 4]),
        s_y (ground->trunk.spots [ground->trunk.count / 4]) - 9,
        "font-size=\"11\" font-weight=\"bold\" fill=\"#a3641f\" text-anchor=\"middle\"", "S905");
}

static const struct {
    const char *severity, *color, *label;
    double size;
} s_dots [] = { { "blue", "#2f7fd1", "蓝 blue", 4.6 }, { "yellow", "#f0b400", "黄 yellow", 5.6 },
    { "red", "#d8302a", "红 red", 7 } };

static void s_dot (const json_t *line, FILE *out)
{
    const char *type = json_string_value (json_object_get (line, "type"));
    const char *role = json_string_value (json_object_get (line, "role"));
    const char *severity = json_string_value (json_object_get (line, "severity"));
    const json_t *lat = json_object_get (line, "lat"), *lon = json_object_get (line, "lon");
    if (!type || strcmp (type, "tip") != 0 || (role && strcmp (role, "owner") != 0) || !json_is_number (lat)
        || !json_is_number (lon))
        return;
    int level = 0;
    for (int i = 0; i < 3 && severity; i++)
        if (strcmp (severity, s_dots [i].severity) == 0)
            level = i;
    spot_t spot = ground_spot_of ((position_t){ json_number_value (lat), json_number_value (lon) });
    const char *fill
        = json_object_get (line, "duplicate_of") ? "fill-opacity=\"0.25\" stroke-width=\"1.4\"" : "stroke-width=\"1.6\"";
    fprintf (out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\" stroke=\"#fff\" %s/>\n", s_x (spot), s_y (spot),
        s_dots [level].size, s_dots [level].color, fill);
}

//  Returns -1 when a line is not JSON.
static int s_incidents (FILE *incidents, FILE *out)
{
    char *text = NULL;
    size_t room = 0;
    int number = 0, rc = 0;
    while (rc == 0 && getline (&text, &room, incidents) > 0) {
        json_error_t error;
        json_t *line = json_loads (text, 0, &error);
        number++;
        if (line)
            s_dot (line, out);
        else {
            fprintf (stderr,
                "county: line %d of the incidents is not JSON: %s; want the lines of patrol-desk watch --json\n", number,
                error.text);
            rc = -1;
        }
        json_decref (line);
    }
    free (text);
    for (int i = 0; i < 3; i++)
        fprintf (out,
            "<circle cx=\"48\" cy=\"%d\" r=\"%.1f\" fill=\"%s\" stroke=\"#fff\" stroke-width=\"1.6\"/>"
            "<text x=\"62\" y=\"%d\" font-size=\"13\" fill=\"#2e2a24\">%s</text>\n",
            HEIGHT - 90 + i * 22, s_dots [i].size, s_dots [i].color, HEIGHT - 85 + i * 22, s_dots [i].label);
    return rc;
}

int map_write (const ground_t *ground, FILE *incidents, FILE *out)
{
    s_head (ground, out);
    s_land (ground, out);
    s_lines (ground, out);
    s_small_places (ground, out);
    s_stations (ground, out);
    s_legend (ground, out);
    int rc = incidents ? s_incidents (incidents, out) : 0;
    fputs ("</svg>\n", out);
    return rc;
}
