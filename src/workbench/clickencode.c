/* The two writers of the shop: a hand-written Avro encoder, so that the generator depends on none
 * of the code that the daemon decodes with. */
#include <stdio.h>
#include <string.h>

#include "clickencode.h"

enum { EVENT_ID_LEN = 32, NAME_MAX_LEN = 128 };

static const char *const categories[] = {"shoes", "books", "garden", "music", "kitchen", "games"};
static const char *const countries[] = {"DE", "FR", "AT", "NL", "PL", "IT", "ES", "SE"};
static const char *const devices[] = {"unknown", "desktop", "phone", "tablet"};
static const char *const types[] = {"other",       "impression", "click", "view",
                                    "add_to_cart", "purchase",   "other"};
static const char *const agents[] = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/126.0",
    "ShopApp/5.2.1 (Android 14; Pixel 8)",
};

#define PICK(list, number) (list)[(number) % (sizeof(list) / sizeof *(list))]

struct names {
    char id[EVENT_ID_LEN + 1];
    char item[16];
    char url[NAME_MAX_LEN];
    char referrer[NAME_MAX_LEN];
    const char *category;
};

static struct names names_of(const struct click *click)
{
    struct names names;
    names.category = PICK(categories, click->item);
    snprintf(names.id, sizeof names.id, "%016llx%016llx", (unsigned long long)click->id,
             (unsigned long long)click->event_time_ms);
    snprintf(names.item, sizeof names.item, "sku-%05u", (unsigned)click->item % 100000);
    snprintf(names.url, sizeof names.url, "https://shop.example/%s%s%s", names.category,
             click->type == CLICK_IMPRESSION ? "" : "/",
             click->type == CLICK_IMPRESSION ? "" : names.item);
    snprintf(names.referrer, sizeof names.referrer, "%s",
             click->first_of_visit ? "https://search.example/" : "https://shop.example/");
    return names;
}

/* The older writer's numbers of the symbols. */
static int64_t symbol_of(const struct click *click)
{
    if (click->writer == CLICK_V2)
        return click->type;
    return click->type == CLICK_WISHLIST ? 5 : (int64_t)click->type - 1;
}

static void put_long(struct text *out, int64_t number)
{
    uint64_t zigzag = ((uint64_t)number << 1) ^ (uint64_t)(number >> 63);
    for (; zigzag > 0x7f; zigzag >>= 7)
        text_append_char(out, (char)(0x80 | (zigzag & 0x7f)));
    text_append_char(out, (char)zigzag);
}

static void put_string(struct text *out, const char *string)
{
    size_t len = strlen(string);
    put_long(out, (int64_t)len);
    text_append(out, string, len);
}

/* Little-endian, as all machines that this runs on are. */
static void put_price(struct text *out, const struct click *click)
{
    put_long(out, click->price_cents >= 0);
    if (click->price_cents < 0)
        return;
    double price = (double)click->price_cents / 100;
    float single = (float)price;
    if (click->writer == CLICK_V2)
        text_append(out, &price, sizeof price);
    else
        text_append(out, &single, sizeof single);
}

static void put_optional(struct text *out, bool there, const char *string)
{
    put_long(out, there);
    if (there)
        put_string(out, string);
}

void clickencode_avro(struct text *out, const struct click *click)
{
    struct names names = names_of(click);
    bool v2 = click->writer == CLICK_V2;
    put_string(out, names.id);
    put_string(out, click->user);
    put_long(out, v2 ? click->event_time_ms : click->event_time_ms * 1000);
    put_long(out, symbol_of(click));
    put_optional(out, click->item != 0, names.item);
    put_optional(out, click->item != 0, names.category);
    put_price(out, click);
    put_long(out, click->quantity);
    if (v2)
        put_string(out, "EUR");
    put_string(out, names.url);
    if (v2) {
        put_optional(out, true, names.referrer);
        put_long(out, click->device);
    }
    put_string(out, PICK(countries, click->country));
    if (v2)
        put_long(out, click->position);
    put_string(out, PICK(agents, click->agent));
    if (!v2)
        return;
    put_long(out, click->from_campaign); /* blocks of the map props */
    if (click->from_campaign) {
        put_string(out, "campaign");
        put_string(out, "autumn");
        put_long(out, 0);
    }
}

struct clickencode_places clickencode_places(const struct click *click)
{
    size_t user = 1 + EVENT_ID_LEN;
    return (struct clickencode_places){user, user + 1 + strlen(click->user)};
}

static void add(struct text *out, const char *name, bool there, const char *string)
{
    text_printf(out, "\"%s\":", name);
    if (there)
        text_append_json_string(out, string, strlen(string));
    else
        text_append_string(out, "null");
    text_append_char(out, ',');
}

void clickencode_json(struct text *out, const struct click *click)
{
    struct names names = names_of(click);
    bool v2 = click->writer == CLICK_V2;
    add(out, "event_id", true, names.id);
    add(out, "user_id", true, click->user);
    text_printf(out, "\"event_time\":%lld,", (long long)click->event_time_ms);
    add(out, "event_type", true, types[click->type]);
    add(out, "item_id", click->item != 0, names.item);
    add(out, "category", click->item != 0, names.category);
    double price = (double)click->price_cents / 100;
    if (click->price_cents >= 0)
        text_printf(out, "\"price\":%.17g,", v2 ? price : (double)(float)price);
    else
        add(out, "price", false, "");
    text_printf(out, "\"quantity\":%d,", (int)click->quantity);
    add(out, "currency", true, "EUR");
    text_append_string(out, "\"page\":{");
    add(out, "url", true, names.url);
    add(out, "referrer", v2, names.referrer);
    out->len--; /* the comma */
    text_append_string(out, "},");
    add(out, "device", true, v2 ? PICK(devices, click->device) : "unknown");
    add(out, "country", true, PICK(countries, click->country));
    text_printf(out, "\"position\":%d,", v2 ? (int)click->position : -1);
    add(out, "user_agent", true, PICK(agents, click->agent));
    text_append_string(out, v2 && click->from_campaign ? "\"props\":{\"campaign\":\"autumn\"}"
                                                       : "\"props\":{}");
}
