/* Replies in Redis' protocol, appended to a client's output. */
#include <ctype.h>
#include <string.h>

#include "control_client.h"

/* Simple strings hold no control bytes, and a terminal should not get any that data brought in. */
static void append_line(struct text *out, const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)line[i];
        if (byte == '\t')
            text_append_string(out, "    ");
        else if (byte < ' ' || byte == 0x7f)
            text_printf(out, "\\x%02x", byte);
        else
            text_append_char(out, line[i]);
    }
    text_append(out, "\r\n", 2);
}

void control_reply_status(struct control_client *client, const char *text)
{
    text_append_char(&client->output, '+');
    append_line(&client->output, text, strlen(text));
}

static bool has_code(const char *text)
{
    size_t capitals = 0;
    while (isupper((unsigned char)text[capitals]))
        capitals++;
    return capitals > 2 && text[capitals] == ' ';
}

void control_reply_error(struct control_client *client, const char *format, ...)
{
    struct text text = {0};
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&text, format, arguments);
    va_end(arguments);
    text_append_string(&client->output, has_code(text.data) ? "-" : "-ERR ");
    append_line(&client->output, text.data, text.len);
    text_free(&text);
}

void control_reply_integer(struct control_client *client, int64_t number)
{
    text_append_char(&client->output, ':');
    text_append_long(&client->output, number);
    text_append(&client->output, "\r\n", 2);
}

void control_reply_text(struct control_client *client, const char *bytes, size_t len)
{
    text_append_char(&client->output, '$');
    text_append_long(&client->output, (int64_t)len);
    text_append(&client->output, "\r\n", 2);
    text_append(&client->output, bytes, len);
    text_append(&client->output, "\r\n", 2);
}

void control_reply_lines(struct control_client *client, const char *text, size_t len)
{
    if (len > 0 && text[len - 1] == '\n')
        len--;
    const char *end = text + len;
    size_t count = len > 0;
    for (const char *at = text; at < end; at++)
        count += *at == '\n';
    control_reply_array(client, count);
    while (count-- > 0) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline == NULL ? end : newline;
        text_append_char(&client->output, '+');
        append_line(&client->output, text, (size_t)(stop - text));
        text = stop + 1;
    }
}

void control_reply_null(struct control_client *client)
{
    text_append_string(&client->output, "$-1\r\n");
}

void control_reply_array(struct control_client *client, size_t count)
{
    text_append_char(&client->output, '*');
    text_append_long(&client->output, (int64_t)count);
    text_append(&client->output, "\r\n", 2);
}
