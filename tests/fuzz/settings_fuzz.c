//  HOME/settings.json, written by hand.

#include "fuzz.h"

#include <fcntl.h>
#include "settings.h"

static const setting_spec_t s_specs []
    = { { "name", SETTING_TEXT, NULL, 1, 64, "a name" }, { "listen", SETTING_TEXT, "tcp://127.0.0.1:7410", 8, 128, "where" },
          { "budget", SETTING_NUMBER, "64", -5, 4096, "a number" }, { "beacon", SETTING_BOOL, "true", 0, 0, "a switch" },
          { NULL, SETTING_TEXT, NULL, 0, 0, NULL } };
static char s_path [128];

int LLVMFuzzerInitialize (int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_quiet ();
    snprintf (s_path, sizeof s_path, "%s/settings.json", fuzz_folder_make ());
    return 0;
}

static void s_check (settings_t *settings)
{
    size_t name = strlen (settings_text (settings, "name")), listen = strlen (settings_text (settings, "listen"));
    int64_t budget = settings_number (settings, "budget");
    FUZZ_EXPECT (name >= 1 && name <= 64 && listen >= 8 && listen <= 128 && budget >= -5 && budget <= 4096);
    settings_bool (settings, "beacon");
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    int fd = open (s_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_EXPECT (fd >= 0 && write (fd, data, size) == (ssize_t)size);
    close (fd);
    settings_t *settings = settings_load (fuzz_folder, s_specs);
    if (settings) {
        s_check (settings);
        //  what was read can be written, and read again
        FUZZ_EXPECT (settings_save (settings, fuzz_folder) == 0);
        settings_destroy (&settings);
        settings = settings_load (fuzz_folder, s_specs);
        FUZZ_EXPECT (settings);
        s_check (settings);
    }
    settings_destroy (&settings);
    char *value = fuzz_text (data, size < 200 ? size : 200);
    settings = settings_new (s_specs);
    for (int index = 0; index < 4; index++) {
        settings_set (settings, s_specs [index].name, value);
    }
    settings_destroy (&settings);
    free (value);
    return 0;
}
