// Command pubsub-fake ADDRESS serves pstest, Google's fake of Cloud Pub/Sub, on that address.
//
// The fake has all its state in memory, so ending it would lose what the real service keeps.
// SIGUSR1 is an outage instead: the port and every connection close, and the state stays.
// SIGUSR2 ends the outage; at any other time it does nothing.
package main

import (
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/grpc"
)

// A publish request has at most 10 MB, and some more for what is around the messages.
const maxRequestBytes = 11 << 20

func main() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	// It opens a port of its own, which cannot be opened again after an outage: nobody is told of it.
	fake := &pstest.NewServer().GServer

	server := serve(fake, os.Args[1])
	for received := range signals {
		switch {
		case received == syscall.SIGUSR1 && server != nil:
			server.Stop()
			server = nil
		case received == syscall.SIGUSR2 && server == nil:
			server = serve(fake, os.Args[1])
		}
	}
}

func serve(fake *pstest.GServer, address string) *grpc.Server {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxRequestBytes))
	pubsubpb.RegisterPublisherServer(server, fake)
	pubsubpb.RegisterSubscriberServer(server, fake)
	pubsubpb.RegisterSchemaServiceServer(server, fake)
	go func() {
		if err := server.Serve(listener); err != nil {
			log.Print(err)
		}
	}()
	return server
}
