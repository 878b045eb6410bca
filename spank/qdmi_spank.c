/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * --qdmi-device=NAME for srun, sbatch and salloc: gives the tasks of a job a quantum device, its
 * endpoint and the place of its credential, by the site's INI file. See README.md.
 *
 *   plugstack.conf:  optional /path/qdmi_spank.so config=/etc/qdmi/site.ini
 *
 * A remote hook that fails drains the node or shows success, except task_init with a negative
 * value (Slurm 22.05). So problems are noted in user_init, which runs as the user, and told in
 * task_init. In the good case nothing is printed: every srun of the cluster comes through here.
 */
#include <ctype.h>
#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>
#include <slurm/spank.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

SPANK_PLUGIN(qdmi, 1)

#define LINE 1024
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:+-"

static char config[LINE] = "/etc/qdmi/site.ini";
static char asked[LINE];       /* --qdmi-device */
static char problem[4 * LINE]; /* noted in user_init, told in task_init */

enum found { FOUND, NO_KEY, NO_SECTION, NO_FILE };

static int note(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, sizeof problem, format, arguments);
    va_end(arguments);
    return -1;
}

static char *trimmed(char *text) {
    while (isspace((unsigned char)*text)) text++;
    char *end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1])) *--end = '\0';
    return text;
}

/* Copies as much as fits; the sizes here are generous, and what is cut is not found later. */
static void copy(char *out, size_t size, const char *text) { snprintf(out, size, "%s", text); }

/* Calls each(key, value) for the lines of a section until it returns non-zero. */
static enum found walk(const char *section, int (*each)(char *, char *, void *), void *data) {
    FILE *file = fopen(config, "re");
    if (!file) return NO_FILE;
    char line[LINE];
    enum found found = NO_SECTION;
    int inside = 0;
    while (fgets(line, sizeof line, file)) {
        char *text = trimmed(line);
        if (!*text || *text == '#' || *text == ';') continue;
        if (*text == '[') {
            char *end = strchr(text, ']');
            if (end) *end = '\0';
            inside = strcmp(trimmed(text + 1), section) == 0;
            if (inside && found == NO_SECTION) found = NO_KEY;
            continue;
        }
        char *equals = strchr(text, '=');
        if (!inside || !equals) continue;
        *equals = '\0';
        if (each(trimmed(text), trimmed(equals + 1), data)) {
            found = FOUND;
            break;
        }
    }
    fclose(file);
    return found;
}

struct wanted {
    const char *key;
    char *out;
};

static int take(char *key, char *value, void *data) {
    struct wanted *wanted = data;
    if (strcmp(key, wanted->key) != 0) return 0;
    copy(wanted->out, LINE, value);
    return 1;
}

static enum found lookup(const char *kind, const char *name, const char *key, char *out) {
    char section[2 * LINE];
    snprintf(section, sizeof section, "%s%s%s", kind, *name ? " " : "", name);
    struct wanted wanted = {key, out};
    return walk(section, take, &wanted);
}

/* Whether a list, separated by commas, has a name; ":2", "@server" and "*2" after one count for nothing. */
static int listed(const char *list, const char *name, int counted) {
    size_t length = strlen(name);
    while (*list) {
        list += strspn(list, " ,");
        size_t word = strcspn(list, " ,");
        if (word >= length && strncmp(list, name, length) == 0 &&
            (word == length || (counted && strchr(":@*", list[length]))))
            return 1;
        list += word;
    }
    return 0;
}

static int option(int value, const char *argument, int remote) {
    (void)value, (void)remote;
    if (!argument || !*argument || strlen(argument) > 64 ||
        strspn(argument, NAME_CHARS) != strlen(argument)) {
        slurm_error("qdmi: --qdmi-device: not a device name");
        return -1;
    }
    copy(asked, sizeof asked, argument);
    return 0;
}

static struct spank_option device_option = {
    (char *)"qdmi-device", (char *)"NAME",
    (char *)"QDMI device for this job (default: the partition's)", 1, 0, option};

int slurm_spank_init(spank_t spank, int count, char **arguments) {
    for (int k = 0; k < count; k++)
        if (strncmp(arguments[k], "config=", 7) == 0) copy(config, sizeof config, arguments[k] + 7);
    spank_context_t context = spank_context();
    if (context == S_CTX_LOCAL || context == S_CTX_ALLOCATOR || context == S_CTX_REMOTE)
        spank_option_register(spank, &device_option);
    return 0;
}

/* Where the job is submitted: refuses a name that no partition has. SPANK sees no -p there. */
int slurm_spank_init_post_opt(spank_t spank, int count, char **arguments) {
    (void)spank, (void)count, (void)arguments;
    if (spank_context() == S_CTX_REMOTE || !*asked) return 0;
    char known[LINE] = "none";
    if (lookup("site", "", "devices", known) == NO_FILE) return 0; /* the node will say */
    if (listed(known, asked, 0)) return 0;
    slurm_error("qdmi: no device '%s' at this site. Known: %s", asked, known);
    return -1;
}

struct gift {
    spank_t spank;
    const char *device;
    char prefix[LINE];
    unsigned uid;
};

/* QDMI_<NAME>_: capitals and underscores; of 'scheme:locator' the scheme, as config.py reads it. */
static void prefixed(struct gift *gift) {
    size_t n = (size_t)snprintf(gift->prefix, 128, "QDMI_%.64s", gift->device);
    gift->prefix[strcspn(gift->prefix, ":")] = '\0';
    n = strlen(gift->prefix);
    for (size_t k = 5; k < n; k++) {
        unsigned char c = (unsigned char)gift->prefix[k];
        gift->prefix[k] = isalnum(c) ? (char)toupper(c) : '_';
    }
    copy(gift->prefix + n, 2, "_");
}

/* What the user set of this device goes: endpoint and credential belong together. */
static void cleared(struct gift *gift) {
    char **environment = NULL;
    char names[64][128];
    int count = 0;
    if (spank_get_item(gift->spank, S_JOB_ENV, &environment) != ESPANK_SUCCESS) return;
    for (char **each = environment; each && *each && count < 64; each++)
        if (strncmp(*each, gift->prefix, strlen(gift->prefix)) == 0)
            snprintf(names[count++], sizeof names[0], "%.*s", (int)strcspn(*each, "="), *each);
    while (count--) spank_unsetenv(gift->spank, names[count]);
}

static int give(char *key, char *value, void *data) {
    struct gift *gift = data;
    if (strcmp(key, "license") == 0) return 0;
    char name[2 * LINE], text[LINE];
    char *user = strstr(value, "%u");
    if (user)
        snprintf(text, sizeof text, "%.*s%u%s", (int)(user - value), value, gift->uid, user + 2);
    else
        copy(text, sizeof text, value);
    size_t length = strlen(key);
    int file = length > 5 && strcmp(key + length - 5, "_file") == 0;
    int reference = strncmp(text, "file:", 5) == 0;
    if ((file || reference) && access(reference ? text + 5 : text, R_OK) != 0) {
        note("qdmi: device '%s' needs a credential and %s cannot be read by uid %u on this node",
             gift->device, reference ? text + 5 : text, gift->uid);
        return 1;
    }
    snprintf(name, sizeof name, "%s%s", gift->prefix, key);
    for (char *c = name + strlen(gift->prefix); *c; c++)
        *c = isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_';
    spank_setenv(gift->spank, name, text, 1);
    return 0;
}

static int resolved(spank_t spank) {
    char partition[LINE] = "", held[LINE] = "", device[LINE] = "", allowed[LINE] = "", need[LINE];
    uint32_t job = 0;
    uid_t uid = 0;
    job_info_msg_t *told = NULL;
    spank_get_item(spank, S_JOB_ID, &job);
    spank_get_item(spank, S_JOB_UID, &uid);
    if (slurm_load_job(&told, job, 0) == 0 && told->record_count) {
        const slurm_job_info_t *record = &told->job_array[0];
        copy(partition, sizeof partition, record->partition ? record->partition : "");
        copy(held, sizeof held, record->licenses ? record->licenses : "");
    }
    if (told) slurm_free_job_info_msg(told);
    if (!*partition)
        return *asked ? note("qdmi: the controller does not say which partition job %u is in; "
                             "try again", job) : 0;
    switch (lookup("partition", partition, "default", device)) {
        case NO_FILE:
            return *asked ? note("qdmi: %s is missing on this node; ask your administrator", config)
                          : 0;
        case NO_SECTION:
            return *asked ? note("qdmi: partition '%s' has no QDMI devices; use one that has, or "
                                 "drop --qdmi-device", partition) : 0;
        default:
            break;
    }
    if (*asked) copy(device, sizeof device, asked);
    if (!*device)
        return note("qdmi: partition '%s' has no default device; say which with "
                    "--qdmi-device=NAME", partition);
    lookup("partition", partition, "allow", allowed);
    if (!listed(allowed, device, 0))
        return note("qdmi: device '%s' is not allowed in partition '%s' (allowed: %s)", device,
                    partition, allowed);
    switch (lookup("device", device, "license", need)) {
        case NO_FILE:
        case NO_SECTION:
            return note("qdmi: device '%s' has no section [device %s] in %s", device, device,
                        config);
        case FOUND:
            if (!listed(held, need, 1))
                return note("qdmi: device '%s' needs a licence that this job does not hold; "
                            "resubmit with -L %s:1 (held: %s)", device, need,
                            *held ? held : "none");
            break;
        default:
            break;
    }
    struct gift gift = {.spank = spank, .device = device, .uid = (unsigned)uid};
    char section[2 * LINE];
    snprintf(section, sizeof section, "device %s", device);
    prefixed(&gift);
    cleared(&gift);
    if (walk(section, give, &gift) == FOUND) return -1; /* give() has noted why */
    spank_setenv(spank, "QDMI_BACKEND", device, 1);
    spank_setenv(spank, "QDMI_GRANTED", device, 1); /* a step of this job will do for slurm:NAME */
    return 0;
}

/* Runs as the user. Never anything but 0: under sbatch that would drain the node. */
int slurm_spank_user_init(spank_t spank, int count, char **arguments) {
    (void)count, (void)arguments;
    if (spank_remote(spank) == 1) resolved(spank);
    return 0;
}

int slurm_spank_task_init(spank_t spank, int count, char **arguments) {
    (void)count, (void)arguments;
    int task = 0;
    if (spank_remote(spank) != 1 || !*problem) return 0;
    spank_get_item(spank, S_TASK_ID, &task);
    if (task == 0) slurm_error("%s", problem);
    return -1;
}
