package service

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// Keepalive says when connections of the gRPC port are asked whether they live, and when they end. A client opens a new one for
// its next call; calls under way are not cut off, but for those that outlast Grace.
type Keepalive struct {
	// Every is how long a connection may be silent before it is asked, and Answer how long an answer may take; then it is
	// closed. Defaults 1 minute and 20 s.
	Every, Answer time.Duration
	// Least is how often a client may ask; one that asks more often is told to calm down, and its connection closed. Default 5 s.
	Least time.Duration
	// Idle is how long a connection without calls is kept. 0: for ever.
	Idle time.Duration
	// Age is how long a connection lives, with a tenth more or less, so that clients spread anew over several services; Grace is
	// how long its calls under way may then take. 0: for ever, and Grace is 1 minute.
	Age, Grace time.Duration
}

func (k Keepalive) withDefaults() Keepalive {
	for _, d := range []struct {
		of    *time.Duration
		usual time.Duration
	}{{&k.Every, time.Minute}, {&k.Answer, 20 * time.Second}, {&k.Least, 5 * time.Second}, {&k.Grace, time.Minute}} {
		if *d.of == 0 {
			*d.of = d.usual
		}
	}
	return k
}

func (k Keepalive) parameters() grpc.ServerOption {
	return grpc.KeepaliveParams(keepalive.ServerParameters{
		Time: k.Every, Timeout: k.Answer, MaxConnectionIdle: k.Idle, MaxConnectionAge: k.Age, MaxConnectionAgeGrace: k.Grace,
	})
}

func (k Keepalive) policy() grpc.ServerOption {
	return grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: k.Least, PermitWithoutStream: true})
}
