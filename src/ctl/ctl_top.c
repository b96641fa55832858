/* The live view's loop: ask, draw, wait for a key or the next second. */
#include "ctl_top.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "ctl_exit.h"
#include "ctl_info.h"
#include "ctl_screen.h"

enum { REPLY_MS = 5000 };

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
    (void)number;
    stop_asked = 1;
}

struct top {
    const struct ctl_top_options *options;
    struct ctl_screen screen;
    struct ctl_link link;
    struct ctl_info before, now;
    bool keys; /* are read from standard input */
    struct termios saved;
};

static void terminal_begin(struct top *top)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    top->screen.is_terminal = isatty(STDOUT_FILENO);
    top->keys = top->screen.is_terminal && tcgetattr(STDIN_FILENO, &top->saved) == 0;
    if (top->keys) {
        struct termios raw = top->saved;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    if (top->screen.is_terminal)
        fputs("\033[?1049h\033[?25l", stdout); /* the other screen, no cursor */
}

static void terminal_end(struct top *top)
{
    if (top->screen.is_terminal)
        fputs("\033[?25h\033[?1049l", stdout);
    fflush(stdout);
    if (top->keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &top->saved);
}

static void draw(struct top *top, const struct text *frame)
{
    if (top->screen.is_terminal)
        fputs("\033[H", stdout);
    fwrite(frame->data, 1, frame->len, stdout);
    fputs(top->screen.is_terminal ? "\033[J" : "\n", stdout);
    fflush(stdout);
}

static void draw_info(struct top *top)
{
    struct winsize size;
    struct text frame = {0};
    if (top->screen.is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        top->screen.rows = size.ws_row;
        top->screen.columns = size.ws_col;
    }
    ctl_screen_frame(&top->screen, top->before.text == NULL ? NULL : &top->before, &top->now,
                     &frame);
    draw(top, &frame);
    text_free(&frame);
}

static void draw_error(struct top *top)
{
    struct text frame = {0};
    text_printf(&frame, "%s\033[K\ntrying again; q ends\033[K\n", top->link.error);
    draw(top, &frame);
    text_free(&frame);
}

/* Waits until the next frame; false when it is time to end. */
static bool wait_for_frame(struct top *top)
{
    struct pollfd input = {.fd = top->keys ? STDIN_FILENO : -1, .events = POLLIN};
    char key;
    fflush(stdout);
    if (poll(&input, 1, (int)top->options->interval_ms) > 0 && read(STDIN_FILENO, &key, 1) == 1)
        return key != 'q' && key != 'Q' && key != 4;
    return !stop_asked && !ferror(stdout);
}

static bool ask(struct top *top)
{
    struct ctl_info info;
    if (top->link.redis == NULL && !ctl_link_open(&top->link, top->options->path, REPLY_MS))
        return false;
    if (!ctl_info_ask(&top->link, &info)) {
        ctl_link_close(&top->link);
        return false;
    }
    ctl_info_free(&top->before);
    top->before = top->now;
    top->now = info;
    return true;
}

/* On a terminal the first frame comes at once, without rates; elsewhere only whole frames do. */
static int run(struct top *top)
{
    int64_t frames = 0;
    do {
        if (ask(top)) {
            if (top->before.text != NULL)
                frames++;
            if (top->before.text != NULL || top->screen.is_terminal)
                draw_info(top);
        } else if (top->screen.is_terminal) {
            draw_error(top);
        } else {
            fprintf(stderr, "freshetctl: %s\n", top->link.error);
            return CTL_EXIT_UNREACHABLE;
        }
        if (top->options->frames > 0 && frames >= top->options->frames)
            break;
    } while (wait_for_frame(top));
    return CTL_EXIT_OK;
}

int ctl_top(const struct ctl_top_options *options)
{
    struct top top = {.options = options};
    if (!ctl_link_open(&top.link, options->path, REPLY_MS)) {
        fprintf(stderr, "freshetctl: %s\n", top.link.error);
        return CTL_EXIT_UNREACHABLE;
    }
    terminal_begin(&top);
    int status = run(&top);
    terminal_end(&top);
    ctl_link_close(&top.link);
    ctl_info_free(&top.before);
    ctl_info_free(&top.now);
    return status;
}
