/* `freshet decode`: one datum on standard input as JSON, through the same plan as the daemon. */
#include <ctype.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "avrofingerprint.h"
#include "avroplan.h"
#include "avroschema.h"
#include "framing.h"
#include "jsonout.h"
#include "readfile.h"
#include "text.h"
#include "workbench.h"

enum { DECODE_MAX_BYTES = 64 << 20 }; /* of standard input; schemas have a bound of their own */

static const char help[] =
    "Usage: freshet decode --writer W [--reader R] [OPTION]...\n"
    "Reads one Avro datum from standard input and prints it as JSON, as the daemon would see it.\n"
    "\n"
    "  --writer W   schema that the datum was written with: a file, or the JSON itself\n"
    "  --reader R   schema to read it as; default: the writer's\n"
    "  --framing F  what stands before the datum: raw (default), single_object, confluent\n"
    "  --hex        standard input is hexadecimal text\n"
    "  --strict     bytes after the datum are an error\n"
    "  --help       this text\n"
    "\n"
    "What JSON cannot hold is written {\"$hex\": \"00ff\"}, {\"$long\": \"9007199254740993\"},\n"
    "{\"$f\": \"NaN\"}; unions are unwrapped. Exit status: 0; 1 with `CLASS: message` on standard\n"
    "error (schema, resolve, data, malformed, limit); 64 for wrong usage; 66 for a file that\n"
    "cannot be read.\n";

struct options {
    const char *writer, *reader;
    enum framing framing;
    bool hex, strict, help;
};

static bool parse_framing(const char *word, enum framing *framing)
{
    static const char *const words[] = {"confluent", "single_object", "raw"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, words[i]) == 0) {
            *framing = (enum framing)i;
            return true;
        }
    }
    fprintf(stderr, "freshet decode: --framing %s: raw, single_object or confluent\n", word);
    return false;
}

static bool parse_options(int argc, char **argv, struct options *options)
{
    static const struct option table[] = {
        {"writer", required_argument, NULL, 'w'},
        {"reader", required_argument, NULL, 'r'},
        {"framing", required_argument, NULL, 'f'},
        {"hex", no_argument, NULL, 'x'},
        {"strict", no_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *options = (struct options){.framing = FRAMING_RAW};
    int option;
    while ((option = getopt_long(argc, argv, "h", table, NULL)) >= 0) {
        if (option == 'w')
            options->writer = optarg;
        else if (option == 'r')
            options->reader = optarg;
        else if (option == 'x')
            options->hex = true;
        else if (option == 's')
            options->strict = true;
        else if (option == 'h')
            options->help = true;
        else if (option != 'f' || !parse_framing(optarg, &options->framing))
            return false;
    }
    if (!options->help && (optind < argc || !options->writer)) {
        fprintf(stderr, "freshet decode: %s\n",
                optind < argc ? "the datum is read from standard input" : "--writer is missing");
        return false;
    }
    if (!options->reader)
        options->reader = options->writer;
    return true;
}

static int report(const struct avro_error *err)
{
    char line[AVROERROR_PATH_MAX + AVROERROR_MESSAGE_MAX + 64];
    avroerror_text(err, line, sizeof line);
    fprintf(stderr, "%s: %s\n", avroerror_name(err->code), line);
    return EXIT_FAILURE;
}

/* The schema text behind an argument: itself when it looks like JSON, else the file's. */
static bool load_text(const char *argument, struct text *text)
{
    if (strchr("{[\"", *argument)) {
        text_append_string(text, argument);
        return true;
    }
    const char *why = readfile(argument, DECODE_MAX_BYTES, text);
    if (why)
        fprintf(stderr, "freshet decode: %s: %s\n", argument, why);
    return !why;
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.';
}

/* A file may hold a bare word such as long, without the quotes of JSON. */
static void quote_bare_name(struct text *text)
{
    static const char blanks[] = " \t\r\n";
    const char *word = text->data + strspn(text->data, blanks);
    size_t len = 0;
    while (is_name_char(word[len]))
        len++;
    if (!len || word[len + strspn(word + len, blanks)])
        return;
    struct text quoted = {0};
    text_printf(&quoted, "\"%.*s\"", (int)len, word);
    text_free(text);
    *text = quoted;
}

static int load_schema(const char *argument, enum avroschema_use use, struct avroschema **schema)
{
    struct text text = {0};
    struct avro_error err;
    int status = EXIT_SUCCESS;
    if (!load_text(argument, &text)) {
        status = EX_NOINPUT;
    } else {
        quote_bare_name(&text);
        *schema = avroschema_parse(text.data, text.len, NULL, 0, use, &err);
        if (!*schema)
            status = report(&err);
    }
    text_free(&text);
    return status;
}

/* In place: text of hexadecimal digits and white space becomes bytes. */
static bool decode_hex(struct text *text)
{
    size_t out = 0, digits = 0;
    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = (unsigned char)text->data[i];
        if (isspace(c))
            continue;
        if (!isxdigit(c))
            return false;
        int value = isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;
        if (digits++ % 2)
            text->data[out - 1] = (char)((unsigned char)text->data[out - 1] | value);
        else
            text->data[out++] = (char)(value << 4);
    }
    text->len = out;
    return digits % 2 == 0;
}

static int read_datum(const struct options *options, struct text *datum)
{
    ssize_t got;
    text_append(datum, "", 0);
    do {
        char *room = text_reserve(datum, 1 << 16);
        got = read(STDIN_FILENO, room, 1 << 16);
        datum->len += got > 0 ? (size_t)got : 0;
    } while (got > 0 && datum->len <= DECODE_MAX_BYTES);
    if (got < 0) {
        perror("freshet decode: standard input");
        return EX_NOINPUT;
    }
    struct avro_error err;
    if (got > 0) {
        avroerror_set(&err, AVRO_ERROR_LIMIT, "standard input has more than %d bytes",
                      DECODE_MAX_BYTES);
        return report(&err);
    }
    if (options->hex && !decode_hex(datum)) {
        fputs("freshet decode: standard input is not hexadecimal\n", stderr);
        return EX_USAGE;
    }
    return EXIT_SUCCESS;
}

static bool unframe(const struct options *options, const struct avroschema *writer,
                    const struct text *datum, struct framing_result *framed, struct avro_error *err)
{
    if (!framing_parse(options->framing, NULL, 0, datum->data, datum->len, framed, err))
        return false;
    uint64_t fingerprint = avrofingerprint_of(writer);
    if (framed->ref != FRAMING_REF_FINGERPRINT || framed->fingerprint == fingerprint)
        return true;
    avroerror_set(err, AVRO_ERROR_RESOLVE,
                  "the datum was written with the schema of fingerprint %016llx, not %016llx",
                  (unsigned long long)framed->fingerprint, (unsigned long long)fingerprint);
    return false;
}

static int decode(const struct options *options, const struct avroschema *writer,
                  const struct avroschema *reader, const struct text *datum)
{
    struct avro_error err;
    struct framing_result framed;
    struct text json = {0};
    struct jsonout out = {.text = &json};
    struct avroplan_sink sink = jsonout_sink(&out);
    struct avroplan *plan = avroplan_compile(writer, reader, NULL, options->strict, &err);
    bool ok = plan && unframe(options, writer, datum, &framed, &err) &&
              avroplan_walk(plan, framed.body, framed.len, &sink, &err);
    int status = ok ? EXIT_SUCCESS : report(&err);
    if (ok) {
        text_append_char(&json, '\n');
        fwrite(json.data, 1, json.len, stdout);
    }
    avroplan_free(plan);
    text_free(&json);
    return status;
}

int decode_main(int argc, char **argv)
{
    struct options options;
    if (!parse_options(argc, argv, &options)) {
        fputs("Try `freshet decode --help`.\n", stderr);
        return EX_USAGE;
    }
    if (options.help) {
        fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    struct avroschema *writer = NULL, *reader = NULL;
    struct text datum = {0};
    int status = load_schema(options.writer, AVROSCHEMA_WRITER, &writer);
    if (status == EXIT_SUCCESS)
        status = load_schema(options.reader, AVROSCHEMA_READER, &reader);
    if (status == EXIT_SUCCESS)
        status = read_datum(&options, &datum);
    if (status == EXIT_SUCCESS)
        status = decode(&options, writer, reader, &datum);
    avroschema_free(writer);
    avroschema_free(reader);
    text_free(&datum);
    return status;
}
