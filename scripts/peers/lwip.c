/* A host on tap0 with lwIP, for `scripts/bench --peers`: 10.9.0.2/24 with discard (9), chargen (19) and echo (7, TCP and
 * UDP). It uses the raw API and Debian's liblwip as it was compiled: windows below 128 KiB, no SACK, one frame a segment.
 *
 * A thread reads frames from the TAP and gives up to BATCH of them to lwIP under its core lock. Frames are kept in
 * PBUF_RAM: Debian's liblwip counts PBUF_POOL elements as smaller than the data that it puts into them.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include "lwip/etharp.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/tcp.h"
#include "lwip/tcpip.h"
#include "lwip/udp.h"
#include "netif/ethernet.h"

enum { ECHO = 7, DISCARD = 9, CHARGEN = 19 };
enum { BATCH = 32, FRAME = 1518, LINE = 74, LINES = 95, PERIOD = LINE * LINES, MOST_WRITTEN = 0xf000 };

static int tap = -1;
static struct netif interface;
static char pattern[PERIOD + MOST_WRITTEN]; /* RFC 864's, so that a write of any length can begin anywhere in a period */

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* --- discard ----------------------------------------------------------------------------------------------------- */

static err_t finish(struct tcp_pcb *pcb)
{
    if (tcp_close(pcb) == ERR_OK)
        return ERR_OK;
    tcp_abort(pcb);
    return ERR_ABRT;
}

static err_t drop_data(void *arg, struct tcp_pcb *pcb, struct pbuf *data, err_t error)
{
    (void)arg, (void)error;
    if (data == NULL) /* the client's FIN */
        return finish(pcb);
    tcp_recved(pcb, data->tot_len);
    pbuf_free(data);
    return ERR_OK;
}

static err_t accept_discard(void *arg, struct tcp_pcb *pcb, err_t error)
{
    (void)arg;
    if (error == ERR_OK)
        tcp_recv(pcb, drop_data);
    return error;
}

/* --- chargen: the argument of a connection is its place in the pattern ---------------------------------------------- */

static err_t send_pattern(void *arg, struct tcp_pcb *pcb)
{
    size_t place = (size_t)arg;
    size_t room = tcp_sndbuf(pcb), most = MOST_WRITTEN;
    while (room >= tcp_mss(pcb)) {
        size_t count = LWIP_MIN(room, most);
        if (tcp_write(pcb, pattern + place, (u16_t)count, 0) == ERR_OK) { /* by reference */
            place = (place + count) % PERIOD;
            room = tcp_sndbuf(pcb);
        } else if ((most = count / 2) < tcp_mss(pcb)) { /* lwIP bounds the number of pbufs, too */
            break;
        }
    }
    tcp_arg(pcb, (void *)place);
    return tcp_output(pcb);
}

static err_t sent_pattern(void *arg, struct tcp_pcb *pcb, u16_t count)
{
    (void)count;
    return send_pattern(arg, pcb);
}

static err_t end_pattern(void *arg, struct tcp_pcb *pcb, struct pbuf *data, err_t error)
{
    if (data != NULL)
        return drop_data(arg, pcb, data, error);
    tcp_abort(pcb); /* the client does not read what is queued */
    return ERR_ABRT;
}

static err_t accept_chargen(void *arg, struct tcp_pcb *pcb, err_t error)
{
    (void)arg;
    if (error != ERR_OK)
        return error;
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, end_pattern);
    tcp_sent(pcb, sent_pattern);
    tcp_poll(pcb, send_pattern, 1);
    return send_pattern(NULL, pcb);
}

/* --- echo: the argument of a connection is the chain of pbufs that wait for room in the send buffer ----------------- */

static void echo_some(struct pbuf *waiting, struct tcp_pcb *pcb)
{
    while (waiting != NULL) {
        u16_t count = (u16_t)LWIP_MIN((size_t)waiting->len, (size_t)tcp_sndbuf(pcb));
        if (count == 0 || tcp_write(pcb, waiting->payload, count, TCP_WRITE_FLAG_COPY) != ERR_OK)
            break;
        waiting = pbuf_free_header(waiting, count);
        tcp_recved(pcb, count);
    }
    tcp_arg(pcb, waiting);
    tcp_output(pcb);
}

static err_t echo_sent(void *arg, struct tcp_pcb *pcb, u16_t count)
{
    (void)count;
    if (arg != NULL)
        echo_some(arg, pcb);
    return ERR_OK;
}

static err_t echo_data(void *arg, struct tcp_pcb *pcb, struct pbuf *data, err_t error)
{
    struct pbuf *waiting = arg;
    (void)error;
    if (data == NULL) { /* a client closes after the last echo, so nothing waits */
        if (waiting != NULL)
            pbuf_free(waiting);
        tcp_arg(pcb, NULL);
        return finish(pcb);
    }
    if (waiting == NULL)
        waiting = data;
    else if (waiting->tot_len + data->tot_len > 0xffff)
        return ERR_MEM; /* lwIP keeps it, and calls again */
    else
        pbuf_cat(waiting, data);
    echo_some(waiting, pcb);
    return ERR_OK;
}

static void echo_error(void *arg, err_t error)
{
    (void)error;
    if (arg != NULL)
        pbuf_free(arg);
}

static err_t accept_echo(void *arg, struct tcp_pcb *pcb, err_t error)
{
    (void)arg;
    if (error != ERR_OK)
        return error;
    tcp_nagle_disable(pcb);
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, echo_data);
    tcp_sent(pcb, echo_sent);
    tcp_err(pcb, echo_error);
    return ERR_OK;
}

static void echo_datagram(void *arg, struct udp_pcb *pcb, struct pbuf *data, const ip_addr_t *address, u16_t port)
{
    (void)arg;
    udp_sendto(pcb, data, address, port);
    pbuf_free(data);
}

/* --- the TAP ------------------------------------------------------------------------------------------------------ */

static err_t write_frame(struct netif *netif, struct pbuf *frame)
{
    char joined[FRAME];
    const void *octets = frame->payload;
    (void)netif;
    if (frame->next != NULL) {
        pbuf_copy_partial(frame, joined, sizeof joined, 0);
        octets = joined;
    }
    return write(tap, octets, frame->tot_len) < 0 ? ERR_IF : ERR_OK;
}

static void read_frames(void *arg)
{
    struct pollfd readable = {.fd = tap, .events = POLLIN};
    (void)arg;
    for (;;) {
        struct pbuf *batch[BATCH];
        int count = 0;
        while (count < BATCH) {
            char octets[FRAME];
            ssize_t length = read(tap, octets, sizeof octets);
            if (length <= 0)
                break;
            struct pbuf *frame = pbuf_alloc(PBUF_RAW, (u16_t)length, PBUF_RAM);
            if (frame == NULL)
                continue; /* a lost frame */
            pbuf_take(frame, octets, (u16_t)length);
            batch[count++] = frame;
        }
        if (count == 0) {
            poll(&readable, 1, -1);
            continue;
        }
        LOCK_TCPIP_CORE();
        for (int number = 0; number < count; number++)
            if (ethernet_input(batch[number], &interface) != ERR_OK)
                pbuf_free(batch[number]);
        UNLOCK_TCPIP_CORE();
    }
}

static err_t open_tap(struct netif *netif)
{
    /* struct ifreq without <net/if.h>, whose names are lwIP's, too */
    struct { char name[16]; short flags; char rest[22]; } request = {.name = "tap0", .flags = IFF_TAP | IFF_NO_PI};
    static const u8_t address[] = {0x02, 0, 0, 0, 0, 0x02};
    tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    if (tap < 0)
        fail("/dev/net/tun");
    if (ioctl(tap, TUNSETIFF, &request) < 0)
        fail("tap0");
    netif->name[0] = 't';
    netif->name[1] = 'p';
    netif->mtu = 1500;
    netif->hwaddr_len = sizeof address;
    memcpy(netif->hwaddr, address, sizeof address);
    netif->output = etharp_output;
    netif->linkoutput = write_frame;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

/* --- the host ----------------------------------------------------------------------------------------------------- */

static void listen_on(u16_t port, tcp_accept_fn accepted)
{
    struct tcp_pcb *pcb = tcp_new();
    if (pcb == NULL || tcp_bind(pcb, IP4_ADDR_ANY, port) != ERR_OK || (pcb = tcp_listen(pcb)) == NULL) {
        fprintf(stderr, "lwIP cannot listen on port %d\n", port);
        exit(1);
    }
    tcp_accept(pcb, accepted);
}

static void start(void *arg)
{
    ip4_addr_t address, mask, gateway;
    struct udp_pcb *datagrams = udp_new();
    (void)arg;
    IP4_ADDR(&address, 10, 9, 0, 2);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    IP4_ADDR(&gateway, 10, 9, 0, 1);
    netif_add(&interface, &address, &mask, &gateway, NULL, open_tap, ethernet_input);
    netif_set_default(&interface);
    netif_set_up(&interface);
    listen_on(DISCARD, accept_discard);
    listen_on(CHARGEN, accept_chargen);
    listen_on(ECHO, accept_echo);
    if (datagrams == NULL || udp_bind(datagrams, IP4_ADDR_ANY, ECHO) != ERR_OK)
        fail("UDP port 7");
    udp_recv(datagrams, echo_datagram, NULL);
    sys_thread_new("frames", read_frames, NULL, 0, 0);
}

int main(void)
{
    for (size_t place = 0; place < sizeof pattern; place++) {
        size_t line = place / LINE % LINES, column = place % LINE;
        pattern[place] = column < LINE - 2 ? (char)(' ' + (line + column) % LINES) : column == LINE - 2 ? '\r' : '\n';
    }
    tcpip_init(start, NULL);
    for (;;)
        pause();
}
