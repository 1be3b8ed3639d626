// A host on tap0 with gVisor's netstack, for `scripts/bench --peers`: 10.9.0.2/24 with discard (9), chargen (19) and
// echo (7, TCP and UDP). With -tso the TAP has a virtio_net header (virtio 1.2 section 5.1.6), and the two sides pass
// each other segments of up to 64 KiB without checksums, as gVisor's sandbox does.
package main

import (
	"flag"
	"io"
	"log"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

const (
	echoPort, discardPort, chargenPort = 7, 9, 19

	nic           = 1
	mtu           = 1500
	virtioHeader  = 10
	superFrame    = 65536
	readSize      = 1 << 20
	chargenWrites = 1 << 20
)

var (
	address = tcpip.Address("\x0a\x09\x00\x02")
	station = tcpip.LinkAddress("\x02\x00\x00\x00\x00\x02")
)

func fatal(what string, err error) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}

// check is fatal for netstack's errors, whose type is their own.
func check(what string, err tcpip.Error) {
	if err != nil {
		log.Fatalf("%s: %s", what, err)
	}
}

func control(fd int, request, argument uintptr) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, argument); errno != 0 {
		return errno
	}
	return nil
}

func openTap(tso bool) int {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR, 0)
	fatal("/dev/net/tun", err)
	request := struct { // struct ifreq
		name  [unix.IFNAMSIZ]byte
		flags uint16
		rest  [22]byte
	}{flags: unix.IFF_TAP | unix.IFF_NO_PI}
	copy(request.name[:], "tap0")
	if tso {
		request.flags |= unix.IFF_VNET_HDR
	}
	fatal("tap0", control(fd, unix.TUNSETIFF, uintptr(unsafe.Pointer(&request))))
	if tso {
		size := int32(virtioHeader)
		fatal("TUNSETVNETHDRSZ", control(fd, unix.TUNSETVNETHDRSZ, uintptr(unsafe.Pointer(&size))))
		const checksumAndTSO4 = 1 | 2 // TUN_F_CSUM, TUN_F_TSO4
		fatal("TUNSETOFFLOAD", control(fd, unix.TUNSETOFFLOAD, checksumAndTSO4))
	}
	return fd
}

// newHost is a netstack with the protocols and settings of gVisor's sandbox (runsc/boot/loader.go).
func newHost(tso bool) *stack.Stack {
	options := fdbased.Options{
		FDs:            []int{openTap(tso)},
		MTU:            mtu,
		EthernetHeader: true,
		Address:        station,
	}
	if tso {
		options.GSOMaxSize = superFrame
		options.RXChecksumOffload = true
	}
	link, err := fdbased.New(&options)
	fatal("fdbased", err)
	host := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4},
		HandleLocal:        true,
	})
	sack, moderate := tcpip.TCPSACKEnabled(true), tcpip.TCPModerateReceiveBufferOption(true)
	check("SACK", host.SetTransportProtocolOption(tcp.ProtocolNumber, &sack))
	check("receive buffers", host.SetTransportProtocolOption(tcp.ProtocolNumber, &moderate))
	check("NIC", host.CreateNICWithOptions(nic, link, stack.NICOptions{Name: "tap0"}))
	check("address", host.AddProtocolAddress(nic, tcpip.ProtocolAddress{
		Protocol:          ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: address, PrefixLen: 24},
	}, stack.AddressProperties{}))
	host.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nic}})
	return host
}

func serve(host *stack.Stack, port uint16, handle func(net.Conn)) {
	listener, err := gonet.ListenTCP(host, tcpip.FullAddress{NIC: nic, Addr: address, Port: port}, ipv4.ProtocolNumber)
	fatal("listen", err)
	go func() {
		for {
			connection, err := listener.Accept()
			fatal("accept", err)
			go func() {
				defer connection.Close()
				handle(connection)
			}()
		}
	}()
}

func discard(connection net.Conn) {
	buffer := make([]byte, readSize)
	for {
		if _, err := connection.Read(buffer); err != nil {
			return
		}
	}
}

func echo(connection net.Conn) {
	// io.Copy's own buffer has 32 KiB; hide the methods with which it would go round ours.
	_, _ = io.CopyBuffer(struct{ io.Writer }{connection}, struct{ io.Reader }{connection}, make([]byte, 64<<10))
}

func chargen(connection net.Conn) {
	for {
		if _, err := connection.Write(pattern); err != nil {
			return
		}
	}
}

// pattern is whole periods of RFC 864's, so that one write can follow another.
var pattern = func() []byte {
	const lines = 95
	var period []byte
	for line := 0; line < lines; line++ {
		for column := 0; column < 72; column++ {
			period = append(period, ' '+byte((line+column)%lines))
		}
		period = append(period, "\r\n"...)
	}
	var whole []byte
	for len(whole)+len(period) <= chargenWrites {
		whole = append(whole, period...)
	}
	return whole
}()

func main() {
	tso := flag.Bool("tso", false, "TCP segmentation and checksum offload, both ways")
	flag.Parse()
	host := newHost(*tso)
	serve(host, discardPort, discard)
	serve(host, chargenPort, chargen)
	serve(host, echoPort, echo)
	local := tcpip.FullAddress{NIC: nic, Addr: address, Port: echoPort}
	datagrams, err := gonet.DialUDP(host, &local, nil, ipv4.ProtocolNumber)
	fatal("UDP port 7", err)
	buffer := make([]byte, 65536)
	for {
		count, client, err := datagrams.ReadFrom(buffer)
		if err == nil { // an error is about one client
			_, _ = datagrams.WriteTo(buffer[:count], client)
		}
	}
}
