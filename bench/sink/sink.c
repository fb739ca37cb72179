/*
 * The receiving side of the benchmark, and its publisher: opens event streams, sends numbered messages
 * down the feed, and checks that every connection gets every number, in order. One thread, epoll.
 * src/node-sink.ts does the same where there is no compiler; its protocol is described there.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { DIGITS = 16, PAYLOAD = 64, RING = 1024, CARRY = 256, READ = 256 * 1024, MAX_HOLES = 1 << 16 };
enum { CONNECT_BATCH = 256, STALL_SECONDS = 5 };

struct connection {
  int fd, open;
  unsigned long next; /* the number that should come now */
  int carried;        /* bytes of a line that has not ended */
  char carry[CARRY];
};

static struct connection *connections;
static int count, first, opened;
static int window_size;
static unsigned long sent, acknowledged; /* messages */
static char texts[RING][PAYLOAD];        /* what was sent, by number */
static int arrived[RING];                /* connections that have it, by number */
static unsigned long deliveries, reads;
static unsigned long reordered, duplicated, damaged;
static struct { int connection; unsigned long number; } holes[MAX_HOLES];
static int hole_count;
static unsigned long holes_not_kept;

static void fail(const char *format, ...) {
  va_list values;
  va_start(values, format);
  vfprintf(stderr, format, values);
  va_end(values);
  fputc('\n', stderr);
  exit(1);
}

static double seconds_of(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int connect_to(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
  if (fd < 0) fail("socket: %s", strerror(errno));
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
    fail("connect to port %d: %s", port, strerror(errno));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

/* Closes with a reset, so that no port waits behind it. */
static void reset(int fd) {
  struct linger now = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(fd);
}

static void write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, bytes, length);
    if (n < 0) fail("write: %s", strerror(errno));
    bytes += n;
    length -= n;
  }
}

static void in_order(struct connection *c) {
  arrived[c->next++ % RING]++;
  deliveries++;
}

/* A payload that is not the one that should come now. */
static void out_of_order(struct connection *c, const char *payload, size_t length) {
  char digits[DIGITS + 1] = "";
  if (length >= DIGITS) memcpy(digits, payload, DIGITS);
  if (strspn(digits, "0123456789") != DIGITS) return; /* not ours: a first message, for instance */
  unsigned long number = strtoul(digits, NULL, 10);
  if (length != PAYLOAD || number >= sent || memcmp(payload + DIGITS, texts[0] + DIGITS, PAYLOAD - DIGITS)) {
    damaged++;
    return;
  }
  int self = c - connections;
  if (number < c->next) {
    for (int i = 0; i < hole_count; i++)
      if (holes[i].connection == self && holes[i].number == number) {
        holes[i] = holes[--hole_count];
        reordered++;
        return;
      }
    duplicated++;
    return;
  }
  /* What was passed over counts as missing until it comes; nobody waits for it. */
  for (; c->next < number; c->next++) {
    arrived[c->next % RING]++;
    if (hole_count == MAX_HOLES) holes_not_kept++;
    else { holes[hole_count].connection = self; holes[hole_count++].number = c->next; }
  }
  in_order(c);
}

/* Takes whole lines from `line` to `end`; returns where the line that has not ended begins. */
static char *take_lines(struct connection *c, char *line, char *end) {
  char *last = NULL;
  for (char *feed; (feed = memchr(line, '\n', end - line)) != NULL; line = feed + 1) {
    if (feed - line < 5 || memcmp(line, "data:", 5) != 0) continue;
    char *payload = line + 5;
    if (*payload == ' ') payload++;
    if (feed - payload != PAYLOAD || memcmp(payload, texts[c->next % RING], PAYLOAD) != 0 || c->next >= sent) {
      out_of_order(c, payload, feed - payload);
      last = NULL;
      continue;
    }
    in_order(c);
    /* The next event is likely as far behind this one as this is behind the one before. What is jumped
       over is shorter than a data line, so that no event can hide in it. */
    long length = feed + 1 - line, stride = last == NULL ? 0 : line - last;
    if (stride >= length && stride < 2 * length)
      while (line + stride + length <= end && line[stride - 1] == '\n' && line[stride + length - 1] == '\n' &&
             c->next < sent && memcmp(line + stride, line, payload - line) == 0 &&
             memcmp(payload + stride, texts[c->next % RING], PAYLOAD) == 0) {
        in_order(c);
        line += stride;
        payload += stride;
      }
    last = line;
    feed = line + length - 1;
  }
  return line;
}

static void read_some(struct connection *c) {
  static char space[CARRY + READ];
  char *start = space + CARRY - c->carried;
  memcpy(start, c->carry, c->carried);
  ssize_t n = recv(c->fd, space + CARRY, READ, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) fail("the server closed connection %d", (int)(c - connections));
  reads++;
  if (!c->open) {
    if (n < 12 || memcmp(space + CARRY, "HTTP/1.1 200", 12) != 0)
      fail("the server refused connection %d: %.*s", (int)(c - connections), (int)n, space + CARRY);
    c->open = 1;
    opened++;
  }
  char *end = space + CARRY + n, *rest = take_lines(c, start, end);
  /* A line that is longer than any of ours is known by its beginning. */
  c->carried = end - rest > CARRY ? CARRY : end - rest;
  memcpy(c->carry, rest, c->carried);
}

static int poll_once(int epoll) {
  struct epoll_event events[256];
  int n = epoll_wait(epoll, events, 256, 1000);
  for (int i = 0; i < n; i++) read_some(events[i].data.ptr);
  while (acknowledged < sent && arrived[acknowledged % RING] == count) arrived[acknowledged++ % RING] = 0;
  return n;
}

static void refill(int feed) {
  static char lines[RING * (PAYLOAD + 4)];
  size_t length = 0;
  while (sent - acknowledged < (unsigned long)window_size) {
    char *text = texts[sent % RING], digits[DIGITS + 1];
    snprintf(digits, sizeof digits, "%0*lu", DIGITS, sent++);
    memcpy(text, digits, DIGITS);
    memcpy(lines + length, "T0 ", 3);
    memcpy(lines + length + 3, text, PAYLOAD);
    lines[length + 3 + PAYLOAD] = '\n';
    length += PAYLOAD + 4;
  }
  if (length > 0) write_all(feed, lines, length);
}

static void open_all(int epoll, int port, const char *path) {
  for (int i = 0; i < count; i++) {
    struct connection *c = &connections[i];
    c->fd = connect_to(port);
    char where[256], request[512];
    const char *mark = strstr(path, "%d");
    if (mark == NULL) snprintf(where, sizeof where, "%s", path);
    else snprintf(where, sizeof where, "%.*s%d%s", (int)(mark - path), path, first + i, mark + 2);
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n", where);
    write_all(c->fd, request, length);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) < 0) fail("epoll_ctl: %s", strerror(errno));
    if (i % CONNECT_BATCH == CONNECT_BATCH - 1 || i == count - 1)
      while (opened <= i) poll_once(epoll);
  }
}

static void say(const char *line) {
  puts(line);
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc != 9) fail("usage: sink PORT FEED_PORT CONNECTIONS FIRST WINDOW WARMUP SECONDS PATH");
  int port = atoi(argv[1]), feed_port = atoi(argv[2]);
  count = atoi(argv[3]);
  first = atoi(argv[4]);
  window_size = atoi(argv[5]);
  double warmup = atof(argv[6]), length = atof(argv[7]);
  if (count < 1 || window_size < 1 || window_size > RING / 2) fail("CONNECTIONS or WINDOW out of range");
  connections = calloc(count, sizeof *connections);
  memset(texts, 'x', sizeof texts);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);

  int epoll = epoll_create1(0), feed = connect_to(feed_port);
  open_all(epoll, port, argv[8]);
  say("connected");
  char go[8];
  if (fgets(go, sizeof go, stdin) != NULL) {
    double start = seconds_of(CLOCK_MONOTONIC) + warmup, now = 0, last_news = start, cpu = 0, took = 0;
    unsigned long deliveries_before = 0, reads_before = 0;
    enum { WARMING, MEASURING, DRAINING } phase = WARMING;
    for (;;) {
      if (phase != DRAINING) refill(feed);
      else if (acknowledged == sent) break;
      int news = poll_once(epoll);
      now = seconds_of(CLOCK_MONOTONIC);
      if (news > 0) last_news = now;
      else if (now - last_news > STALL_SECONDS) break;
      if (phase == WARMING && now >= start) {
        phase = MEASURING;
        start = now;
        cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
        deliveries_before = deliveries;
        reads_before = reads;
        say("measuring");
      } else if (phase == MEASURING && now - start >= length) {
        phase = DRAINING;
        took = now - start;
        cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        deliveries_before = deliveries - deliveries_before;
        reads_before = reads - reads_before;
        say("measured");
      }
    }
    if (phase != DRAINING) fail("nothing has arrived for %d s; %lu of %lu messages reached everyone",
                                STALL_SECONDS, acknowledged, sent);
    unsigned long lost = hole_count + holes_not_kept;
    for (int i = 0; i < count; i++) lost += sent - connections[i].next;
    printf("{\"seconds\":%.6f,\"deliveries\":%lu,\"reads\":%lu,\"cpuSeconds\":%.6f,\"sent\":%lu,"
           "\"lost\":%lu,\"reordered\":%lu,\"duplicated\":%lu,\"damaged\":%lu}\n",
           took, deliveries_before, reads_before, cpu, sent, lost, reordered, duplicated, damaged);
  }
  for (int i = 0; i < count; i++) reset(connections[i].fd);
  return 0;
}
